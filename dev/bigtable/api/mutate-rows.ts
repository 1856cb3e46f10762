// Implementation of MutateRows. As in Cloud Bigtable, a malformed entry fails the whole request, and an unknown family
// fails every entry; neither writes a row. Only injected faults fail single entries.
import { checkMutations, MAX_MUTATIONS_PER_REQUEST } from '../mutations/mutation-checks.ts';
import { type RowMutation, resolveMutations } from '../mutations/mutations.ts';
import { toText } from '../rows/row.ts';
import type { Table } from '../rows/table.ts';
import type { Turns } from '../turns.ts';
import type { MutateRowsResponse } from '../wire/messages.ts';
import type { BulkRequest } from '../wire/mutate-rows-request.ts';
import { invalidArgument, StatusError } from '../wire/status.ts';
import type { Site } from './gate.ts';

const OK = { code: 0, message: '' };

/** Number of entries decoded at once. */
const ENTRIES_PER_STEP = 10;
const STATUSES_PER_ANSWER = 250;

interface ReadyEntry {
  readonly key: string;
  readonly mutations: readonly RowMutation[];
}

interface MutateRowsOptions {
  readonly nowMs: number;
  readonly turns: Turns;
  /** Called once per entry. Returns the injected error if the entry has to fail. */
  readonly entryError: () => StatusError | undefined;
  readonly answer: (response: MutateRowsResponse) => void;
}

export async function mutateRows(
  request: BulkRequest,
  { instance, cluster, counters }: Site,
  table: Table,
  { nowMs, turns, entryError, answer }: MutateRowsOptions,
): Promise<void> {
  const ready = await makeReady(request, table, nowMs, turns);
  let answers: MutateRowsResponse['entries'] = [];
  for (let index = 0; index < request.entryCount; index++) {
    const turn = turns.next();
    if (turn !== undefined) await turn;
    const error = ready instanceof StatusError ? ready : entryError();
    answers.push({ index, status: error === undefined ? OK : toRpc(error) });
    if (answers.length === STATUSES_PER_ANSWER || index === request.entryCount - 1) {
      answer({ entries: answers });
      answers = [];
    }
    if (error !== undefined || ready instanceof StatusError) continue;
    const { key, mutations } = ready[index] as ReadyEntry;
    instance.commit(cluster, table, key, mutations);
    counters.rowsWritten++;
  }
}

/** Prepares all entries before the first write. Returns the error of all entries if a family is unknown. */
async function makeReady(
  request: BulkRequest,
  table: Table,
  nowMs: number,
  turns: Turns,
): Promise<readonly ReadyEntry[] | StatusError> {
  const ready: ReadyEntry[] = [];
  let unknown: StatusError | undefined;
  let mutationCount = 0;
  for (let from = 0; from < request.entryCount; from += ENTRIES_PER_STEP) {
    const turn = turns.next();
    if (turn !== undefined) await turn;
    for (const [i, { rowKey, mutations }] of request.decodeEntries(from, from + ENTRIES_PER_STEP).entries()) {
      checkEntry(rowKey, mutations, from + i);
      mutationCount += mutations.length;
      try {
        if (unknown === undefined)
          ready.push({ key: toText(rowKey), mutations: resolveMutations(table, mutations, nowMs) });
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        unknown = error;
      }
    }
  }
  if (mutationCount === 0) throw invalidArgument('No mutations provided');
  if (mutationCount > MAX_MUTATIONS_PER_REQUEST) {
    throw invalidArgument(
      `Too many mutations: ${mutationCount}, the limit is ${MAX_MUTATIONS_PER_REQUEST} per request`,
    );
  }
  return unknown ?? ready;
}

function checkEntry(rowKey: Buffer, mutations: Parameters<typeof checkMutations>[1], index: number): void {
  try {
    checkMutations(rowKey, mutations);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw invalidArgument(`Error in field 'Entry list' : Error in element #${index} : ${error.details}`);
  }
}

function toRpc({ code, details }: StatusError): { code: number; message: string } {
  return { code, message: details };
}
