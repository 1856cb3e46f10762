// One ReadRows call under a deadline, without retries: the existing rows among the requested ones.
import type { protos } from '@google-cloud/bigtable';
import { FAMILIES, JSON_QUALIFIER } from '../../shared/domain/keys.ts';
import { toTableError } from './bigtable-error.ts';
import { createChunkMerger, type Row } from './chunk-merger.ts';
import type { BigtableConnection } from './connection.ts';

export type RowFilter = protos.google.bigtable.v2.IRowFilter;

export interface ReadRowsCall {
  readonly table: string;
  readonly appProfile: string;
  /** At most about 100 keys: latency grows faster than their number. */
  readonly rows: protos.google.bigtable.v2.IRowSet;
  readonly filter: RowFilter;
  /** Maximum number of rows. Default: no limit. */
  readonly rowsLimit?: number;
  /** Milliseconds for the call. */
  readonly timeoutMs: number;
}

/** By default retry-request retries for seconds after the caller has gone. Callers decide on retries. */
export const NO_RETRY = { retries: 0, noResponseRetries: 0 } as const;

/** Throws an EarshotError of source `table`. */
export async function readRows(bigtable: BigtableConnection, call: ReadRowsCall): Promise<Row[]> {
  const { table, appProfile, rows, filter, rowsLimit = 0, timeoutMs } = call;
  const found: Row[] = [];
  const merger = createChunkMerger();
  try {
    const stream = (await bigtable.data()).readRows(
      {
        tableName: bigtable.tableName(table),
        appProfileId: appProfile,
        rows,
        filter,
        rowsLimit,
      },
      { timeout: timeoutMs, retryRequestOptions: NO_RETRY },
    );
    for await (const { chunks } of stream as AsyncIterable<protos.google.bigtable.v2.IReadRowsResponse>) {
      for (const chunk of chunks ?? []) {
        const row = merger.push(chunk as Parameters<typeof merger.push>[0]);
        if (row !== undefined) found.push(row);
      }
    }
    merger.end();
  } catch (error) {
    throw toTableError(error, `ReadRows from ${table}`);
  }
  return found;
}

/** The rows with these keys. */
export const rowsOf = (keys: readonly string[]): protos.google.bigtable.v2.IRowSet => ({
  rowKeys: keys.map((key) => Buffer.from(key)),
});

/** The newest JSON document of a row of the `control` table. */
export const newestControlCell: RowFilter = {
  chain: {
    filters: [
      { familyNameRegexFilter: FAMILIES.control },
      { columnQualifierRegexFilter: Buffer.from(JSON_QUALIFIER) },
      { cellsPerColumnLimitFilter: 1 },
    ],
  },
};
