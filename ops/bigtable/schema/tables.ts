// The tables, their families, and how many versions they keep for how long.
import type { protos } from '@google-cloud/bigtable';
import { findOrUndefined, toTableError } from '../../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { FAMILIES, makeInitialSplits, TABLES } from '../../../shared/domain/keys.ts';
import { collectsMore, describeGcRule, type GcRule, isSameRule, keepNewest } from './gc-rule.ts';
import { type ApplyMode, foreignChange, type SchemaChange } from './schema-change.ts';

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
/** A table whose keys begin with a hash takes a load on so many tablets from its start. */
export const INITIAL_TABLETS = 16;

/** Throws an EarshotError. */
export async function applyTable(
  bigtable: BigtableConnection,
  wanted: TableSchema,
  mode: ApplyMode,
): Promise<SchemaChange[]> {
  const what = describe(wanted);
  try {
    const tableAdmin = await bigtable.tableAdmin();
    const name = bigtable.tableName(wanted.table);
    const found = await findOrUndefined(tableAdmin.getTable({ name, view: 'SCHEMA_VIEW' }, options));
    if (found === undefined) {
      if (!mode.dryRun) await createTable(bigtable, wanted);
      return [{ what, done: 'created' }];
    }
    const steps = planFamilies(wanted, found[0].columnFamilies ?? {}, mode);
    const modifications = steps.flatMap(({ modification }) => modification ?? []);
    // A replicated table may keep more only with it: until the next load its clusters differ in their oldest cells.
    const request = { name, ignoreWarnings: true, modifications };
    if (!mode.dryRun && modifications.length > 0) await tableAdmin.modifyColumnFamilies(request, options);
    return steps.map(({ change }) => change);
  } catch (error) {
    throw toTableError(error, `setting up ${what}`);
  }
}

/** The next call continues here. The client's own retries would repeat an unanswered look-up for over a minute. */
const options = { timeout: ADMIN_TIMEOUT_MS, retry: null };

const describe = ({ table, family, gcRule }: TableSchema): string =>
  `table ${table}, family ${family}, ${describeGcRule(gcRule)}`;

async function createTable(bigtable: BigtableConnection, wanted: TableSchema): Promise<void> {
  const { table, family, gcRule, hashed } = wanted;
  await (await bigtable.tableAdmin()).createTable(
    {
      parent: bigtable.instanceName,
      tableId: table,
      table: { columnFamilies: { [family]: { gcRule } } },
      initialSplits: hashed ? makeInitialSplits(INITIAL_TABLETS).map((key) => ({ key: Buffer.from(key) })) : [],
    },
    options,
  );
}

interface FamilyStep {
  readonly change: SchemaChange;
  readonly modification?: protos.google.bigtable.admin.v2.ModifyColumnFamiliesRequest.IModification;
}

type FoundFamilies = Readonly<Record<string, { readonly gcRule?: GcRule | null }>>;

/** The steps of an existing table: its own family first, then those that are not ours. */
function planFamilies(wanted: TableSchema, families: FoundFamilies, mode: ApplyMode): FamilyStep[] {
  const foreign = Object.entries(families).filter(([id]) => id !== wanted.family);
  return [
    planFamily(wanted, families[wanted.family], mode),
    ...foreign.map(([id, { gcRule }]): FamilyStep => {
      const change = foreignChange(`table ${wanted.table}, family ${id}, ${describeGcRule(gcRule)}`, mode);
      return change.done === 'dropped' ? { change, modification: { id, drop: true } } : { change };
    }),
  ];
}

function planFamily(wanted: TableSchema, found: FoundFamilies[string] | undefined, mode: ApplyMode): FamilyStep {
  const { family: id, gcRule } = wanted;
  const what = describe(wanted);
  if (found === undefined)
    return { change: { what, done: 'updated', was: 'no such family' }, modification: { id, create: { gcRule } } };
  if (isSameRule(found.gcRule, gcRule)) return { change: { what, done: 'unchanged' } };
  const was = describeGcRule(found.gcRule);
  if (collectsMore(found.gcRule, gcRule) && !mode.allowDestructive)
    return { change: { what, done: 'left', was, why: 'it would delete more than now; --allow-destructive sets it' } };
  return { change: { what, done: 'updated', was }, modification: { id, update: { gcRule } } };
}
