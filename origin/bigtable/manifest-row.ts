// The manifest's row in Bigtable, as an origin reads it. The newest cell is the manifest, older cells are its history.
// Beside it is the id of its instance: a backup that is restored into another one is not served before it is adopted.
// `ops/bigtable/manifest-row.ts` writes both.
import { FAMILIES, INSTANCE_QUALIFIER, JSON_QUALIFIER, MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import { EMPTY_MANIFEST, type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import type { BigtableConnection } from './connection.ts';
import { type RowFilter, readRows, rowsOf } from './read-rows.ts';

export interface StoredManifest {
  readonly manifest: Manifest;
  /** Undefined before the first publication. */
  readonly cell: { readonly json: Buffer; readonly writtenAtMs: number } | undefined;
}

const newestCells: RowFilter = {
  chain: {
    filters: [
      { familyNameRegexFilter: FAMILIES.control },
      { columnQualifierRegexFilter: Buffer.from(`${JSON_QUALIFIER}|${INSTANCE_QUALIFIER}`) },
      { cellsPerColumnLimitFilter: 1 },
    ],
  },
};

/**
 * EMPTY_MANIFEST before the first publication. Throws an EarshotError, or an Error if the manifest is not valid, or of
 * another instance.
 */
export async function readManifest(
  bigtable: BigtableConnection,
  appProfile: string,
  timeoutMs: number,
): Promise<StoredManifest> {
  const call = {
    table: TABLES.control,
    appProfile,
    rows: rowsOf([MANIFEST_ROW_KEY]),
    filter: newestCells,
    timeoutMs,
  };
  const [row] = await readRows(bigtable, call);
  const [cell, instance] = [JSON_QUALIFIER, INSTANCE_QUALIFIER].map((name) =>
    row?.cells.find(({ qualifier }) => qualifier.toString() === name),
  );
  if (cell === undefined) return { manifest: EMPTY_MANIFEST, cell: undefined };
  // An earlier build writes the manifest alone.
  const isOfCell = instance?.timestampMicros === cell.timestampMicros;
  const trouble = isOfCell ? findForeign(bigtable, instance.value.toString()) : undefined;
  if (trouble !== undefined) throw new Error(trouble);
  return {
    manifest: parseManifest(cell.value.toString('utf8')),
    cell: { json: cell.value, writtenAtMs: cell.timestampMicros / 1000 },
  };
}

/** The id of the instance, without its project. */
export const instanceIdOf = ({ instanceName }: Pick<BigtableConnection, 'instanceName'>): string =>
  instanceName.slice(instanceName.lastIndexOf('/') + 1);

/** Why a manifest of the instance `writtenFor` must not be used here; undefined for the own one. */
export function findForeign(
  bigtable: Pick<BigtableConnection, 'instanceName'>,
  writtenFor: string,
): string | undefined {
  const own = instanceIdOf(bigtable);
  if (writtenFor === own) return undefined;
  return `the manifest is of the instance ${writtenFor}, and ${own} was restored from its backup: run \`npx earshot recovery apply\` before anything is served`;
}
