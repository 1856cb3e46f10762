// The users whose rows an erasure may have deleted after an engine had written them: their lists are missing rightly.
import type { ControlTable } from '../../bigtable/control-table.ts';
import { listErasures } from '../../effects/erasure-record.ts';

/** Users of the erasures that are open, or ended after the generation. Throws an EarshotError. */
export async function countErasedSince(control: ControlTable, generation: number): Promise<number> {
  const erasures = await listErasures(control);
  return erasures
    .filter(({ finalMs }) => finalMs === undefined || finalMs >= generation)
    .reduce((sum, { users }) => sum + users, 0);
}
