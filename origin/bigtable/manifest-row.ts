// The manifest in Bigtable. It is only ever replaced by compare-and-set on the bytes that the writer had read, so that of two writers
// one wins and the other is told. The newest cell is the manifest; the older ones are its history.

import { FAMILIES, JSON_QUALIFIER, MANIFEST_ROW_KEY, TABLES } from '../../shared/keys.ts';
import { EMPTY_MANIFEST, type Manifest, manifestSchema, parseManifest } from '../../shared/manifest.ts';
import { toTableError } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';
import { NO_RETRY, newestControlCell, type RowFilter, readRows, rowsOf } from './read-rows.ts';

export interface StoredManifest {
  readonly manifest: Manifest;
  /** The stored bytes and their cell's timestamp; undefined before the first publication. */
  readonly cell: { readonly json: Buffer; readonly writtenAtMs: number } | undefined;
}

/** The manifest, EMPTY_MANIFEST when nothing was published yet. Throws an EarshotError, or an Error when what is stored is not one. */
export async function readManifest(
  bigtable: BigtableConnection,
  appProfile: string,
  timeoutMs: number,
): Promise<StoredManifest> {
  const call = {
    table: TABLES.control,
    appProfile,
    rows: rowsOf([MANIFEST_ROW_KEY]),
    filter: newestControlCell,
    timeoutMs,
  };
  const [row] = await readRows(bigtable, call);
  const cell = row?.cells[0];
  if (cell === undefined) return { manifest: EMPTY_MANIFEST, cell: undefined };
  return {
    manifest: parseManifest(cell.value.toString('utf8')),
    cell: { json: cell.value, writtenAtMs: cell.timestampMicros / 1000 },
  };
}

/**
 * Writes `next` if the stored manifest is still `read`; false when somebody else wrote in between. Needs an app profile with single-row
 * transactions. Throws an EarshotError of source `table`, or a ZodError when `next` is not a valid manifest.
 */
export async function replaceManifest(
  bigtable: BigtableConnection,
  appProfile: string,
  { read, next, nowMs, timeoutMs }: { read: StoredManifest; next: Manifest; nowMs: number; timeoutMs: number },
): Promise<boolean> {
  const json = Buffer.from(JSON.stringify(manifestSchema.parse(next)));
  const write = {
    setCell: {
      familyName: FAMILIES.control,
      columnQualifier: Buffer.from(JSON_QUALIFIER),
      // Later than the cell it replaces whatever the writer's clock says: the newest cell is the manifest.
      timestampMicros: Math.max(nowMs, (read.cell?.writtenAtMs ?? 0) + 1) * 1000,
      value: json,
    },
  };
  const request = {
    tableName: bigtable.tableName(TABLES.control),
    appProfileId: appProfile,
    rowKey: Buffer.from(MANIFEST_ROW_KEY),
    ...(read.cell === undefined
      ? { predicateFilter: newestControlCell, falseMutations: [write] }
      : { predicateFilter: stillHolds(read.cell.json), trueMutations: [write] }),
  };
  try {
    const [{ predicateMatched }] = await bigtable.data.checkAndMutateRow(request, {
      timeout: timeoutMs,
      retryRequestOptions: NO_RETRY,
    });
    return predicateMatched === (read.cell !== undefined);
  } catch (error) {
    throw toTableError(error, 'the compare-and-set of the manifest');
  }
}

const stillHolds = (json: Buffer): RowFilter => ({
  chain: { filters: [newestControlCell, { valueRangeFilter: { startValueClosed: json, endValueClosed: json } }] },
});
