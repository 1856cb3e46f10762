// Deletes whole rows. To delete a row twice changes nothing, so a failed call is repeated as a whole.
import type { protos } from '@google-cloud/bigtable';
import { makeGrpcError, toTableError } from '../../origin/bigtable/bigtable-error.ts';
import { NO_RETRY } from '../../origin/bigtable/read-rows.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

const ROWS_PER_CALL = 500;

/** Throws an EarshotError. */
export async function deleteRows(
  { bigtable, retries }: Pick<ControlTable, 'bigtable' | 'retries'>,
  { table, appProfile }: { readonly table: string; readonly appProfile: string },
  rowKeys: readonly string[],
): Promise<void> {
  const tableName = bigtable.tableName(table);
  for (let from = 0; from < rowKeys.length; from += ROWS_PER_CALL) {
    const entries = rowKeys
      .slice(from, from + ROWS_PER_CALL)
      .map((rowKey) => ({ rowKey: Buffer.from(rowKey), mutations: [{ deleteFromRow: {} }] }));
    await withRetries(retries, async (timeout) => {
      try {
        const stream = (await bigtable.data()).mutateRows(
          { tableName, appProfileId: appProfile, entries },
          { timeout, retryRequestOptions: NO_RETRY },
        ) as AsyncIterable<protos.google.bigtable.v2.IMutateRowsResponse>;
        for await (const { entries: answered } of stream) {
          const failed = answered?.find(({ status }) => status?.code);
          if (failed?.status?.code) throw makeGrpcError(failed.status.code, failed.status.message ?? 'no message');
        }
      } catch (error) {
        throw toTableError(error, `deleting rows of ${table}`);
      }
    });
  }
}
