// The manifest's row in Bigtable. The newest cell is the manifest, older cells are its history. It is replaced by
// compare-and-set on the cell that the writer read, so that the second of two writers gets a conflict.
import { FAMILIES, JSON_QUALIFIER, MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import { EMPTY_MANIFEST, type Manifest, manifestSchema, parseManifest } from '../../shared/domain/manifest.ts';
import { toTableError } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';
import { newestControlCell, type RowFilter, readRows, rowsOf } from './read-rows.ts';

export interface StoredManifest {
  readonly manifest: Manifest;
  /** Undefined before the first publication. */
  readonly cell: { readonly json: Buffer; readonly writtenAtMs: number } | undefined;
}

/** EMPTY_MANIFEST before the first publication. Throws an EarshotError, or an Error if the manifest is not valid. */
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
 * Writes `next` if the stored manifest is still `read`. Returns false after a conflict. Needs an app profile with
 * single-row transactions. Throws an EarshotError of source `table`, or a ZodError if `next` is not valid.
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
      // Later than the replaced cell, also with a slow clock: the newest cell is the manifest.
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
      : { predicateFilter: newestIsFrom(read.cell.writtenAtMs), trueMutations: [write] }),
  };
  try {
    // No retry: a second attempt would conflict with the first one's write.
    const [{ predicateMatched }] = await (await bigtable.data()).checkAndMutateRow(request, {
      timeout: timeoutMs,
      retry: null,
    });
    return predicateMatched === (read.cell !== undefined);
  } catch (error) {
    throw toTableError(error, 'the compare-and-set of the manifest');
  }
}

/** Timestamps only grow, so they identify the manifest, which may itself be too large for a filter (20 480 bytes). */
const newestIsFrom = (writtenAtMs: number): RowFilter => ({
  chain: {
    filters: [
      newestControlCell,
      {
        timestampRangeFilter: {
          startTimestampMicros: writtenAtMs * 1000,
          endTimestampMicros: (writtenAtMs + 1) * 1000,
        },
      },
    ],
  },
});
