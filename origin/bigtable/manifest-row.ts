// The manifest's row in Bigtable, as an origin reads it. The newest cell is the manifest, older cells are its history.
// `ops/bigtable/manifest-row.ts` writes it.
import { MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import { EMPTY_MANIFEST, type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import type { BigtableConnection } from './connection.ts';
import { newestControlCell, readRows, rowsOf } from './read-rows.ts';

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
