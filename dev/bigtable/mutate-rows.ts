// The work of a MutateRows call. As Cloud Bigtable does it: an entry that is malformed fails the whole request, and an unknown
// family fails every entry of it; nothing is written in either case. Only injected faults fail single entries.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Site } from './gate.ts';
import type { MutateRowsRequest, MutateRowsResponse } from './messages.ts';
import { checkMutations, MAX_MUTATIONS_PER_REQUEST } from './mutation-checks.ts';
import { type RowMutation, resolveMutations } from './mutations.ts';
import { toText } from './row.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { Table } from './table.ts';

const OK = { code: 0, message: '' };

/** Between so many entries other calls get their turn: a bulk load must not hold up reads by a whole batch. */
const ENTRIES_PER_TURN = 20;

/** `entryError` is asked once per entry and gives the injected error, if it is to fail. */
export async function mutateRows(
  { entries }: MutateRowsRequest,
  { instance, cluster, counters }: Site,
  table: Table,
  nowMs: number,
  entryError: () => StatusError | undefined,
): Promise<MutateRowsResponse> {
  checkEntries(entries);
  const resolved = resolveAll(entries, table, nowMs);
  if (resolved instanceof StatusError)
    return { entries: entries.map((_entry, index) => ({ index, status: toRpc(resolved) })) };
  const answers: MutateRowsResponse['entries'] = [];
  for (const [index, { key, mutations }] of resolved.entries()) {
    if (index > 0 && index % ENTRIES_PER_TURN === 0) await nextTurn();
    const error = entryError();
    answers.push({ index, status: error === undefined ? OK : toRpc(error) });
    if (error !== undefined) continue;
    instance.commit(cluster, table, key, mutations);
    counters.rowsWritten++;
  }
  return { entries: answers };
}

function checkEntries(entries: MutateRowsRequest['entries']): void {
  const mutations = entries.reduce((total, entry) => total + entry.mutations.length, 0);
  if (mutations === 0) throw invalidArgument('No mutations provided');
  if (mutations > MAX_MUTATIONS_PER_REQUEST) {
    throw invalidArgument(`Too many mutations: ${mutations}, the limit is ${MAX_MUTATIONS_PER_REQUEST} per request`);
  }
  entries.forEach((entry, index) => {
    try {
      checkMutations(entry.rowKey, entry.mutations);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      throw invalidArgument(`Error in field 'Entry list' : Error in element #${index} : ${error.details}`);
    }
  });
}

/** All entries made ready before any is written, or the error that all of them get. */
function resolveAll(
  entries: MutateRowsRequest['entries'],
  table: Table,
  nowMs: number,
): { key: string; mutations: RowMutation[] }[] | StatusError {
  try {
    return entries.map(({ rowKey, mutations }) => ({
      key: toText(rowKey),
      mutations: resolveMutations(table, mutations, nowMs),
    }));
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
}

function toRpc({ code, details }: StatusError): { code: number; message: string } {
  return { code, message: details };
}
