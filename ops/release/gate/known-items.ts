// Looks the first items of the sampled lists up in the items table: which have no row?
import { makeServeProfile } from '../../../origin/bigtable/app-profiles.ts';
import { type RowFilter, readRows, rowsOf } from '../../../origin/bigtable/read-rows.ts';
import { FAMILIES, makeItemRowKey, TABLES } from '../../../shared/domain/keys.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { withRetries } from '../../bigtable/retry.ts';
import type { CheckInput, SampledUser } from '../checks/check.ts';

/** Maximum number of items that are looked up: those of the first users of the sample. */
const MAX_LOOKED_UP = 10_000;
const KEYS_PER_CALL = 100;
const CALLS = 4;

const withoutValue: RowFilter = {
  chain: {
    filters: [
      { familyNameRegexFilter: FAMILIES.metadata },
      { cellsPerRowLimitFilter: 1 },
      { stripValueTransformer: true },
    ],
  },
};

/** Throws an EarshotError. */
export async function readKnownItems(
  { bigtable, retries }: ControlTable,
  region: string,
  users: readonly SampledUser[],
): Promise<Pick<CheckInput, 'lookedUp' | 'unknown'>> {
  const lookedUp = chooseItems(users);
  const unknown = new Set(lookedUp);
  const ids = [...lookedUp];
  const idByRowKey = new Map(ids.map((id) => [makeItemRowKey(id), id]));
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < ids.length) {
      const rows = rowsOf(ids.slice(next, next + KEYS_PER_CALL).map(makeItemRowKey));
      next += KEYS_PER_CALL;
      const call = { table: TABLES.items, appProfile: makeServeProfile(region), rows, filter: withoutValue };
      const found = await withRetries(retries, (timeoutMs) => readRows(bigtable, { ...call, timeoutMs }));
      for (const { key } of found) unknown.delete(idByRowKey.get(key.toString('latin1')) ?? '');
    }
  };
  await Promise.all(Array.from({ length: CALLS }, work));
  return { lookedUp, unknown };
}

/** Both lists of a user, so that both releases are judged by the same users. */
function chooseItems(users: readonly SampledUser[]): Set<string> {
  const chosen = new Set<string>();
  for (const user of users) {
    const ids = [...(user.new?.ids ?? []), ...(user.live?.ids ?? [])].filter((id) => id !== '');
    if (chosen.size + ids.length > MAX_LOOKED_UP) break;
    for (const id of ids) chosen.add(id);
  }
  return chosen;
}
