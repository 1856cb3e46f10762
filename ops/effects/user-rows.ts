// The rows of users: deleted through one cluster, and looked for in every cluster.
import { APP_PROFILES, makeServeProfile } from '../../origin/bigtable/app-profiles.ts';
import { readRows, rowsOf } from '../../origin/bigtable/read-rows.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { deleteRows } from '../bigtable/delete-rows.ts';
import { withRetries } from '../bigtable/retry.ts';

const READ_KEYS = 100;

/** Deletes every list of the users. Throws an EarshotError. */
export const deleteUserRows = (control: ControlTable, users: readonly UserId[]): Promise<void> =>
  deleteRows(control, { table: TABLES.recommendations, appProfile: APP_PROFILES.ingest }, users.map(makeRowKey));

/** The users that have a row in the cluster of `region`. Throws an EarshotError if it does not answer. */
export async function findRows(
  { bigtable, retries }: ControlTable,
  region: string,
  users: readonly UserId[],
): Promise<readonly UserId[]> {
  const appProfile = makeServeProfile(region);
  const filter = { chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] } };
  const found: UserId[] = [];
  for (const part of partsOf(users, READ_KEYS)) {
    const byRow = new Map(part.map((user) => [makeRowKey(user), user]));
    const call = { table: TABLES.recommendations, appProfile, rows: rowsOf([...byRow.keys()]), filter };
    // A cluster that is out is asked again by the caller, later.
    const once = { ...retries, totalMs: 0 };
    const rows = await withRetries(once, (timeoutMs) => readRows(bigtable, { ...call, timeoutMs }));
    found.push(...rows.flatMap(({ key }) => byRow.get(key.toString()) ?? []));
  }
  return found;
}

function* partsOf<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}
