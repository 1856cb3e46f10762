// One table. Its families and splits are shared by the whole instance; its rows are stored per cluster.
import type { BackupInfo, GcRule } from '../wire/messages.ts';
import { invalidArgument, notFound, type StatusError, unimplemented } from '../wire/status.ts';
import { compileGcRule, type IsCollected, versionsKept } from './gc.ts';
import { SortedRows } from './sorted-rows.ts';

/** Compared by identity: a write to a dropped family must not reach a new family of the same name. */
export interface Family {
  readonly name: string;
  readonly gcRule: GcRule | null;
  readonly isCollected: IsCollected | undefined;
  readonly versionsKept: number;
  /** Set when the family is dropped. */
  dropped: boolean;
}

export interface Table {
  readonly name: string;
  readonly families: Map<string, Family>;
  /** Sorted keys at which the table's tablets begin. */
  readonly splits: readonly string[];
  readonly rows: ReadonlyMap<string, SortedRows>;
  /** The backup that the table was restored from. */
  readonly restoredFrom: BackupInfo | undefined;
}

export function createTable(
  name: string,
  splits: readonly string[],
  clusters: readonly string[],
  restoredFrom?: BackupInfo,
): Table {
  const rows = new Map(clusters.map((cluster) => [cluster, new SortedRows()]));
  return { name, families: new Map(), splits, rows, restoredFrom };
}

export function createFamily(name: string, settings: { gcRule: GcRule | null; valueType?: object | null }): Family {
  if (!/^[-_.a-zA-Z0-9]{1,64}$/.test(name))
    throw invalidArgument(`Invalid id for collection columnFamilies : '${name}'`);
  if (isAggregate(settings.valueType)) throw unimplemented('aggregate column families are not implemented');
  const { gcRule } = settings;
  return { name, gcRule, isCollected: compileGcRule(gcRule), versionsKept: versionsKept(gcRule), dropped: false };
}

/** The cluster's rows of this table. Throws for an unknown cluster. */
export function rowsOf(table: Table, cluster: string): SortedRows {
  const rows = table.rows.get(cluster);
  if (rows === undefined) throw new Error(`expected cluster '${cluster}' to hold table '${table.name}'`);
  return rows;
}

/** Removes the family and its cells from every cluster. */
export function dropFamily(table: Table, family: Family): void {
  family.dropped = true;
  table.families.delete(family.name);
  for (const rows of table.rows.values()) {
    rows.replaceAll((row) => row.filter((column) => column.family !== family.name));
  }
}

/** Cloud Bigtable's error for an unknown family. */
export function familyNotFound(table: string): StatusError {
  return notFound(`Error while accessing table '${table}' : Requested column family not found`);
}

function isAggregate(valueType: object | null | undefined): boolean {
  return valueType != null && 'kind' in valueType && valueType.kind === 'aggregateType';
}
