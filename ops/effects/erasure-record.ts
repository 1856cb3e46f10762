// The record of an erasure: one row of the table `control`, without any user's id. While it is open, a second row has
// the ids, so that another process can go on with it; its end deletes that row.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { newestControlCell, readRows } from '../../origin/bigtable/read-rows.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { toUserId, type UserId } from '../../shared/domain/ids.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { withRetries } from '../bigtable/retry.ts';

/** In order. `hiding`: the users are not hidden yet. `hidden`: their rows are being deleted. */
export const ERASURE_STATES = ['hiding', 'hidden', 'deleted', 'done'] as const;

const moment = z.number();

const recordSchema = z.looseObject({
  format: z.int().positive().default(1),
  state: z.enum(ERASURE_STATES),
  users: z.int().nonnegative(),
  /** References to the users: HMAC under the hash key. */
  refs: z.array(z.string()),
  keepOut: z.boolean().default(false),
  by: z.string(),
  why: z.string(),
  sinceMs: moment,
  /** Nothing from before this moment is served. Set at the end. */
  finalMs: moment.optional(),
  /** Regions whose clusters still had rows, or gave no answer, when the command last looked. */
  pendingRegions: z.array(z.string()).default([]),
});

export type ErasureRecord = z.infer<typeof recordSchema>;

/** A record outside of its row. */
export const storedErasureSchema = recordSchema.extend({ id: z.string() });

export interface StoredErasure extends ErasureRecord {
  readonly id: string;
}

const PREFIX = 'erasure#';
const USERS_PREFIX = 'erasure-users#';

/** Ids sort by moment. */
export const makeErasureId = (nowMs: number): string =>
  `${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')}-${randomUUID().slice(0, 8)}`;

/** Throws an EarshotError, or an Error for an id that is taken. */
export async function beginErasure(
  control: ControlTable,
  id: string,
  record: ErasureRecord,
  users: readonly UserId[],
): Promise<void> {
  // First the ids: a record without them could not be resumed.
  await write(control, `${USERS_PREFIX}${id}`, Buffer.from(JSON.stringify(users)));
  await write(control, `${PREFIX}${id}`, Buffer.from(JSON.stringify(record)));
}

/**
 * Changes the record by compare-and-set. Its state never goes back: of two processes that go on with one erasure, the
 * later one leaves the record as it is.
 */
export async function advanceErasure(
  control: ControlTable,
  id: string,
  change: Partial<ErasureRecord>,
): Promise<StoredErasure> {
  const rowKey = `${PREFIX}${id}`;
  for (;;) {
    const read = await readControlCell(control, rowKey);
    if (read === undefined) throw new Error(`expected the erasure ${id}, got none`);
    const { id: _, ...known } = parse(id, read.value);
    const next = { ...known, ...change };
    if (ERASURE_STATES.indexOf(next.state) < ERASURE_STATES.indexOf(known.state)) return { id, ...known };
    const value = Buffer.from(JSON.stringify(next));
    if ((await replaceControlCell(control, { rowKey, read, value, what: 'the write of an erasure' })) !== undefined)
      return { id, ...next };
  }
}

/** Writes a record of another instance as it is, over one that is here. */
export const putErasure = (control: ControlTable, { id, ...record }: StoredErasure): Promise<void> =>
  write(control, `${PREFIX}${id}`, Buffer.from(JSON.stringify(record)));

/** Deletes the ids of a finished erasure. */
export const forgetUsers = (control: ControlTable, id: string): Promise<void> =>
  write(control, `${USERS_PREFIX}${id}`, undefined);

/** The ids of an open erasure; undefined once they are deleted. */
export async function readErasedUsers(control: ControlTable, id: string): Promise<readonly UserId[] | undefined> {
  const cell = await readControlCell(control, `${USERS_PREFIX}${id}`);
  if (cell === undefined) return undefined;
  return (JSON.parse(cell.value.toString('utf8')) as string[]).map(toUserId);
}

export interface OpenErasure {
  readonly id: string;
  /** When its ids were written: the first step of an erasure. */
  readonly writtenAtMs: number;
}

/** The erasures whose users are still known, the oldest first. Throws an EarshotError. */
export async function findOpenErasures({ bigtable, appProfile, retries }: ControlTable): Promise<OpenErasure[]> {
  const rows = {
    rowRanges: [{ startKeyClosed: Buffer.from(USERS_PREFIX), endKeyOpen: Buffer.from('erasure-users$') }],
  };
  const filter = { chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] } };
  const found = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter, timeoutMs }),
  );
  return found.map(({ key, cells: [cell] }) => ({
    id: key.toString().slice(USERS_PREFIX.length),
    writtenAtMs: (cell?.timestampMicros ?? 0) / 1000,
  }));
}

export async function readErasure(control: ControlTable, id: string): Promise<StoredErasure | undefined> {
  const cell = await readControlCell(control, `${PREFIX}${id}`);
  return cell === undefined ? undefined : parse(id, cell.value);
}

/** Every erasure, the oldest first. Throws an EarshotError, or an Error for a broken record. */
export async function listErasures({ bigtable, appProfile, retries }: ControlTable): Promise<StoredErasure[]> {
  const rows = { rowRanges: [{ startKeyClosed: Buffer.from(PREFIX), endKeyOpen: Buffer.from('erasure$') }] };
  const found = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  return found.map(({ key, cells: [cell] }) =>
    parse(key.toString().slice(PREFIX.length), cell?.value ?? Buffer.alloc(0)),
  );
}

function parse(id: string, value: Buffer): StoredErasure {
  const parsed = recordSchema.safeParse(JSON.parse(value.toString('utf8')));
  if (parsed.success) return { id, ...parsed.data };
  throw new Error(`expected the row ${PREFIX}${id} to be an erasure: ${describeIssues(parsed.error)}`);
}

async function write(control: ControlTable, rowKey: string, value: Buffer | undefined): Promise<void> {
  for (;;) {
    const read = await readControlCell(control, rowKey);
    if (value === undefined && read === undefined) return;
    const written = await replaceControlCell(control, { rowKey, read, value, what: 'the write of an erasure' });
    if (written !== undefined) return;
  }
}
