// Users whose lines loads drop from now on: a row of the table `control` for each, by reference, never by id. One more
// row counts the changes, so that a running load sees one without reading the others.
import { z } from 'zod';
import { newestControlCell, readRows } from '../../origin/bigtable/read-rows.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { FAMILIES, JSON_QUALIFIER, TABLES } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { deleteRows } from '../bigtable/delete-rows.ts';
import { withRetries } from '../bigtable/retry.ts';
import { createBulkWriter } from '../bigtable/writes/bulk-writer.ts';

const PREFIX = 'keep-out#';
const CHANGES_ROW = 'keep-out';
/** Maximum number of users. */
export const MAX_KEPT_OUT = 100_000;

/** The value of a row. */
export const keptOutSchema = z.looseObject({
  format: z.int().positive().default(1),
  atMs: z.number(),
  by: z.string(),
  why: z.string(),
});

export type KeptOut = z.infer<typeof keptOutSchema>;

/** By reference. Throws an EarshotError, or an Error for a broken row. */
export async function readKeepOut(control: ControlTable): Promise<ReadonlyMap<string, KeptOut>> {
  const { bigtable, appProfile, retries } = control;
  const rows = { rowRanges: [{ startKeyClosed: Buffer.from(PREFIX), endKeyOpen: Buffer.from('keep-out$') }] };
  const found = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  return new Map(
    found.map(({ key, cells: [cell] }) => {
      const parsed = keptOutSchema.safeParse(JSON.parse(String(cell?.value)));
      if (!parsed.success) throw new Error(`expected the row ${key} to be valid: ${describeIssues(parsed.error)}`);
      return [key.toString().slice(PREFIX.length), parsed.data];
    }),
  );
}

/** Returns how many were not on the list. */
export async function addToKeepOut(
  control: ControlTable,
  refs: readonly string[],
  { by, why }: { readonly by: string; readonly why: string },
): Promise<number> {
  const known = await readKeepOut(control);
  const added = refs.filter((ref) => !known.has(ref));
  if (known.size + added.length > MAX_KEPT_OUT)
    throw new Error(`expected at most ${MAX_KEPT_OUT} users to be kept out, got ${known.size + added.length}`);
  const { bigtable, appProfile, retries } = control;
  const atMs = retries.clock.now();
  const writer = createBulkWriter(bigtable, {
    ...{ table: TABLES.control, family: FAMILIES.control, qualifier: JSON_QUALIFIER, timestampMs: atMs, appProfile },
    ...{ clock: retries.clock, random: Math.random },
  });
  const value = JSON.stringify({ format: 1, atMs, by, why });
  for (const ref of added) await writer.write({ rowKey: `${PREFIX}${ref}`, value });
  await writer.flush();
  // Also if a killed call has written the rows: loads must read them.
  if (refs.length > 0) await countChange(control);
  return added.length;
}

/** Returns how many were on the list. */
export async function removeFromKeepOut(control: ControlTable, refs: readonly string[]): Promise<number> {
  const known = await readKeepOut(control);
  const removed = refs.filter((ref) => known.has(ref));
  const { appProfile } = control;
  await deleteRows(
    control,
    { table: TABLES.control, appProfile },
    removed.map((ref) => `${PREFIX}${ref}`),
  );
  if (removed.length > 0) await countChange(control);
  return removed.length;
}

const readChanges = async (control: ControlTable) => {
  const cell = await readControlCell(control, CHANGES_ROW);
  const changes = cell === undefined ? 0 : (JSON.parse(cell.value.toString()) as { readonly changes: number }).changes;
  return { cell, changes };
};

async function countChange(control: ControlTable): Promise<void> {
  for (;;) {
    const { cell, changes } = await readChanges(control);
    const value = Buffer.from(JSON.stringify({ format: 1, changes: changes + 1 }));
    const what = 'the count of changes of the keep-out list';
    if ((await replaceControlCell(control, { rowKey: CHANGES_ROW, read: cell, value, what })) !== undefined) return;
  }
}

/** The list as a running load knows it. */
export interface WatchedKeepOut {
  has(ref: string): boolean;
  readonly size: number;
  /** Throws an Error if the list has not been read for MAX_AGE_MS. */
  requireCurrent(): void;
  /** Reads the list if it has changed. Resolves with whether it has since the last call. Rejects as readKeepOut. */
  refresh(): Promise<boolean>;
  stop(): void;
}

/** A running load knows a change after this time. An erasure waits for longer before it deletes. */
export const KEEP_OUT_POLL_MS = 2_000;
const MAX_AGE_MS = 60_000;

/** Reads the list now, and again whenever it has changed. Throws what readKeepOut throws. */
export async function watchKeepOut(control: ControlTable): Promise<WatchedKeepOut> {
  const clock: Clock = control.retries.clock;
  let { changes } = await readChanges(control);
  let users = await readKeepOut(control);
  let checkedAtMs = clock.monotonicNow();
  let isStopped = false;
  let seen = changes;
  let cancel = (): void => undefined;

  async function read(): Promise<void> {
    const next = await readChanges(control);
    if (next.changes !== changes) {
      users = await readKeepOut(control);
      ({ changes } = next);
    }
    checkedAtMs = clock.monotonicNow();
  }

  async function poll(): Promise<void> {
    try {
      await read();
    } catch {
      // requireCurrent ends the load if no poll succeeds.
    }
    if (!isStopped) cancel = clock.setTimeout(() => void poll(), KEEP_OUT_POLL_MS);
  }
  cancel = clock.setTimeout(() => void poll(), KEEP_OUT_POLL_MS);

  return {
    has: (ref) => users.has(ref),
    get size() {
      return users.size;
    },
    refresh: async () => {
      await read();
      const isChanged = changes !== seen;
      seen = changes;
      return isChanged;
    },
    requireCurrent: () => {
      if (clock.monotonicNow() - checkedAtMs > MAX_AGE_MS)
        throw new Error(`expected to read the keep-out list within ${MAX_AGE_MS / 1000} s, got no answer`);
    },
    stop: () => {
      isStopped = true;
      cancel();
    },
  };
}

/**
 * The list by id. A load needs the hash key only if a user is kept out. Throws what `findRef` throws without the key.
 */
export function keepOutById(keepOut: WatchedKeepOut, findRef: () => (id: string) => string) {
  let refOf = keepOut.size === 0 ? undefined : findRef();
  return {
    has: (id: string): boolean => {
      if (keepOut.size === 0) return false;
      refOf ??= findRef();
      return keepOut.has(refOf(id));
    },
    refresh: keepOut.refresh,
  };
}
