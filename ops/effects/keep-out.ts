// Users whose lines loads drop from now on: one row of the table `control` with references, never with ids.
import { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';

const ROW_KEY = 'keep-out';
/** Maximum number of users: the row stays below 10 MB. */
export const MAX_KEPT_OUT = 100_000;

const entrySchema = z.looseObject({ atMs: z.number(), by: z.string(), why: z.string() });
const schema = z.looseObject({ format: z.int().positive().default(1), users: z.record(z.string(), entrySchema) });

export type KeptOut = z.infer<typeof entrySchema>;

/** By reference. Throws an EarshotError, or an Error for a broken row. */
export async function readKeepOut(control: ControlTable): Promise<ReadonlyMap<string, KeptOut>> {
  return (await read(control)).users;
}

async function read(control: ControlTable) {
  const cell = await readControlCell(control, ROW_KEY);
  if (cell === undefined) return { cell, users: new Map<string, KeptOut>() };
  const parsed = schema.safeParse(JSON.parse(cell.value.toString('utf8')));
  if (!parsed.success) throw new Error(`expected the row ${ROW_KEY} to be valid: ${describeIssues(parsed.error)}`);
  return { cell, users: new Map(Object.entries(parsed.data.users)) };
}

export const addToKeepOut = (
  control: ControlTable,
  refs: readonly string[],
  { by, why }: { readonly by: string; readonly why: string },
): Promise<number> =>
  change(control, (users) => {
    const atMs = control.retries.clock.now();
    for (const ref of refs) if (!users.has(ref)) users.set(ref, { atMs, by, why });
  });

/** Returns how many were on the list. */
export const removeFromKeepOut = (control: ControlTable, refs: readonly string[]): Promise<number> =>
  change(control, (users) => {
    for (const ref of refs) users.delete(ref);
  });

/** By compare-and-set, until no other writer interferes. Returns by how many the number of users changed. */
async function change(control: ControlTable, apply: (users: Map<string, KeptOut>) => void): Promise<number> {
  for (;;) {
    const { cell, users } = await read(control);
    const before = users.size;
    apply(users);
    if (users.size === before) return 0;
    if (users.size > MAX_KEPT_OUT) throw new Error(`expected at most ${MAX_KEPT_OUT} users, got ${users.size}`);
    const value = Buffer.from(JSON.stringify({ format: 1, users: Object.fromEntries(users) }));
    const what = 'the compare-and-set of the keep-out list';
    if ((await replaceControlCell(control, { rowKey: ROW_KEY, read: cell, value, what })) !== undefined)
      return Math.abs(users.size - before);
  }
}
