// The tables, their families and the number of versions that they keep.
import { findOrUndefined, toTableError } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { FAMILIES, makeInitialSplits, TABLES } from '../../shared/domain/keys.ts';
import type { SchemaChange } from './schema-change.ts';

interface TableSchema {
  readonly table: string;
  readonly family: string;
  /** Number of versions that a cell keeps. */
  readonly versions: number;
  /** Whether row keys start with a hash, so the table can be split before a load. */
  readonly hashed: boolean;
}

/** Versions of a list: the live one, the previous one, and the one that is being loaded. */
export const LIST_VERSIONS = 3;

/** Versions of the manifest that can be shown and restored. Half a year of a publication each day. */
export const MANIFEST_VERSIONS = 200;

export const wantedTables: readonly TableSchema[] = [
  { table: TABLES.recommendations, family: FAMILIES.lists, versions: LIST_VERSIONS, hashed: true },
  { table: TABLES.items, family: FAMILIES.metadata, versions: 1, hashed: true },
  { table: TABLES.control, family: FAMILIES.control, versions: MANIFEST_VERSIONS, hashed: false },
];

const ADMIN_TIMEOUT_MS = 60_000;
const INITIAL_TABLETS = 16;

export async function applyTable(
  bigtable: BigtableConnection,
  wanted: TableSchema,
  dryRun: boolean,
): Promise<SchemaChange> {
  const { table, family, versions, hashed } = wanted;
  const what = `table ${table}, family ${family}, newest ${versions} version${versions === 1 ? '' : 's'}`;
  const gcRule = { maxNumVersions: versions };
  // The next call continues here. The client's own retries would repeat an unanswered look-up for over a minute.
  const options = { timeout: ADMIN_TIMEOUT_MS, retry: null };
  try {
    const tableAdmin = await bigtable.tableAdmin();
    const existing = await findOrUndefined(
      tableAdmin.getTable({ name: bigtable.tableName(table), view: 'SCHEMA_VIEW' }, options),
    );
    if (existing === undefined) {
      if (!dryRun) {
        await tableAdmin.createTable(
          {
            parent: bigtable.instanceName,
            tableId: table,
            table: { columnFamilies: { [family]: { gcRule } } },
            initialSplits: hashed ? makeInitialSplits(INITIAL_TABLETS).map((key) => ({ key: Buffer.from(key) })) : [],
          },
          options,
        );
      }
      return { what, done: 'created' };
    }
    const found = existing[0].columnFamilies?.[family];
    if (found?.gcRule?.maxNumVersions === versions) return { what, done: 'unchanged' };
    if (!dryRun) {
      const change = found === undefined ? { create: { gcRule } } : { update: { gcRule } };
      await tableAdmin.modifyColumnFamilies(
        { name: bigtable.tableName(table), modifications: [{ id: family, ...change }] },
        options,
      );
    }
    return { what, done: 'updated' };
  } catch (error) {
    throw toTableError(error, `setting up ${what}`);
  }
}
