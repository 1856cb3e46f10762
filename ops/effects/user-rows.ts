// The rows of users: deleted through one cluster, and looked for in every cluster.
import type { protos } from '@google-cloud/bigtable';
import { APP_PROFILES, makeServeProfile } from '../../origin/bigtable/app-profiles.ts';
import { makeGrpcError, toTableError } from '../../origin/bigtable/bigtable-error.ts';
import { NO_RETRY, readRows, rowsOf } from '../../origin/bigtable/read-rows.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { withRetries } from '../bigtable/retry.ts';

const ROWS_PER_CALL = 500;
const READ_KEYS = 100;

/** Deletes every list of the users. To delete a row twice changes nothing. Throws an EarshotError. */
export async function deleteRows({ bigtable, retries }: ControlTable, users: readonly UserId[]): Promise<void> {
  const tableName = bigtable.tableName(TABLES.recommendations);
  for (const part of partsOf(users, ROWS_PER_CALL)) {
    const entries = part.map((user) => ({ rowKey: Buffer.from(makeRowKey(user)), mutations: [{ deleteFromRow: {} }] }));
    await withRetries(retries, async (timeout) => {
      try {
        const stream = (await bigtable.data()).mutateRows(
          { tableName, appProfileId: APP_PROFILES.ingest, entries },
          { timeout, retryRequestOptions: NO_RETRY },
        ) as AsyncIterable<protos.google.bigtable.v2.IMutateRowsResponse>;
        for await (const { entries: answered } of stream) {
          const failed = answered?.find(({ status }) => status?.code);
          if (failed?.status?.code) throw makeGrpcError(failed.status.code, failed.status.message ?? 'no message');
        }
      } catch (error) {
        throw toTableError(error, `deleting rows of ${TABLES.recommendations}`);
      }
    });
  }
}

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
