// The tables, their families, and how many versions they keep for how long.
import { findOrUndefined, toTableError } from '../../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { FAMILIES, makeInitialSplits, TABLES } from '../../../shared/domain/keys.ts';
import { describeGcRule, type GcRule, isSameRule, keepNewest } from './gc-rule.ts';
import type { SchemaChange } from './schema-change.ts';

interface TableSchema {
  readonly table: string;
  readonly family: string;
  readonly gcRule: GcRule;
  /** Whether row keys start with a hash, so the table can be split before a load. */
  readonly hashed: boolean;
}

/** Versions of a list: the live one, those to go back to, and those that are being loaded and checked. */
export const LIST_VERSIONS = 6;

/** Versions of an item's metadata: the live release, the previous one, and the one that is being loaded. */
export const ITEM_VERSIONS = 3;

/** Versions of the manifest that can be shown and restored. Half a year of a publication each day. */
export const MANIFEST_VERSIONS = 200;

/** Heartbeats of ended processes are kept as long: a canary's guard reads their sums. */
const HEARTBEAT_DAYS = 1;

/** The age of a list is that of its generation. */
export const wantedTables = (listMaxAgeDays: number): readonly TableSchema[] => [
  {
    table: TABLES.recommendations,
    family: FAMILIES.lists,
    gcRule: keepNewest(LIST_VERSIONS, listMaxAgeDays),
    hashed: true,
  },
  { table: TABLES.items, family: FAMILIES.metadata, gcRule: keepNewest(ITEM_VERSIONS), hashed: true },
  { table: TABLES.control, family: FAMILIES.control, gcRule: keepNewest(MANIFEST_VERSIONS), hashed: false },
  { table: TABLES.heartbeats, family: FAMILIES.heartbeats, gcRule: keepNewest(1, HEARTBEAT_DAYS), hashed: false },
];

const ADMIN_TIMEOUT_MS = 60_000;
const INITIAL_TABLETS = 16;

export async function applyTable(
  bigtable: BigtableConnection,
  wanted: TableSchema,
  dryRun: boolean,
): Promise<SchemaChange> {
  const { table, family, gcRule, hashed } = wanted;
  const what = `table ${table}, family ${family}, ${describeGcRule(gcRule)}`;
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
    if (found !== undefined && isSameRule(found.gcRule, gcRule)) return { what, done: 'unchanged' };
    if (!dryRun) {
      const change = found === undefined ? { create: { gcRule } } : { update: { gcRule } };
      // A replicated table may keep more only with it: until the next load its clusters differ in their oldest cells.
      const request = { name: bigtable.tableName(table), ignoreWarnings: true };
      await tableAdmin.modifyColumnFamilies({ ...request, modifications: [{ id: family, ...change }] }, options);
    }
    return {
      what,
      done: 'updated',
      why: `was ${found === undefined ? 'without the family' : describeGcRule(found.gcRule)}`,
    };
  } catch (error) {
    throw toTableError(error, `setting up ${what}`);
  }
}
