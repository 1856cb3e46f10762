// google.bigtable.admin.v2.BigtableTableAdmin: tables, families, row ranges and consistency. A change applies to all
// clusters of the instance at once. Injected faults do not affect it.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { parseToken, toToken } from '../replication/consistency-token.ts';
import { compareText, toText } from '../rows/row.ts';
import { prefixRange } from '../rows/row-set.ts';
import { createFamily, createTable, type Family, type Table } from '../rows/table.ts';
import { unary } from '../wire/calls.ts';
import type * as m from '../wire/messages.ts';
import { checkInstanceName, splitName } from '../wire/names.ts';
import { alreadyExists, invalidArgument, notFound } from '../wire/status.ts';
import type { Instance, Instances } from './instance.ts';

export function createTableAdminService(instances: Instances): UntypedServiceImplementation {
  const find = (name: string): { instance: Instance; table: Table } => {
    const instance = instances(splitName(name, 'tables').instance);
    return { instance, table: instance.table(name) };
  };

  return {
    createTable: unary<m.CreateTableRequest, m.TableMessage>(({ parent, tableId, table: message, initialSplits }) => {
      const instance = instances(checkInstanceName(parent));
      if (!/^[_a-zA-Z0-9][-_.a-zA-Z0-9]{0,49}$/.test(tableId)) {
        throw invalidArgument(`Invalid id for collection tables : '${tableId}'`);
      }
      const name = `${parent}/tables/${tableId}`;
      if (instance.tables.has(name)) throw alreadyExists(`Table already exists: ${name}`);
      const splits = [...new Set(initialSplits.map(({ key }) => toText(key)))]
        .filter((key) => key !== '')
        .sort(compareText);
      const table = createTable(name, splits, instance.clusters);
      for (const [id, family] of Object.entries(message?.columnFamilies ?? {})) {
        table.families.set(id, createFamily(id, family));
      }
      instance.addTable(table);
      return describe(table, instance, 'SCHEMA_VIEW');
    }),

    listTables: unary<{ parent: string; view: string }, { tables: m.TableMessage[] }>(({ parent, view }) => {
      const instance = instances(checkInstanceName(parent));
      const tables = [...instance.tables.values()].sort((a, b) => compareText(a.name, b.name));
      return {
        tables: tables.map((table) => describe(table, instance, view === 'VIEW_UNSPECIFIED' ? 'NAME_ONLY' : view)),
      };
    }),

    getTable: unary<{ name: string; view: string }, m.TableMessage>(({ name, view }) => {
      const { instance, table } = find(name);
      return describe(table, instance, view === 'VIEW_UNSPECIFIED' ? 'SCHEMA_VIEW' : view);
    }),

    deleteTable: unary<{ name: string }, object>(({ name }) => {
      find(name).instance.removeTable(name);
      return {};
    }),

    modifyColumnFamilies: unary<m.ModifyColumnFamiliesRequest, m.TableMessage>(({ name, modifications }) => {
      const { instance, table } = find(name);
      const { families, dropped } = planFamilies(table, modifications);
      instance.changeFamilies(table, families, dropped);
      return describe(table, instance, 'SCHEMA_VIEW');
    }),

    dropRowRange: unary<m.DropRowRangeRequest, object>(({ name, rowKeyPrefix, deleteAllDataFromTable }) => {
      const { instance, table } = find(name);
      if (deleteAllDataFromTable !== true && (rowKeyPrefix === undefined || rowKeyPrefix.length === 0)) {
        throw invalidArgument('expected row_key_prefix or delete_all_data_from_table to be set');
      }
      const { low, high } = prefixRange(toText(rowKeyPrefix ?? Buffer.alloc(0)));
      instance.dropRows(table, low, high);
      return {};
    }),

    generateConsistencyToken: unary<{ name: string }, { consistencyToken: string }>(({ name }) => {
      const { instance } = find(name);
      return { consistencyToken: toToken(name, instance.replicator.positions()) };
    }),

    checkConsistency: unary<{ name: string; consistencyToken: string }, { consistent: boolean }>((request) => {
      const { instance } = find(request.name);
      const positions = parseToken(request.name, request.consistencyToken);
      return { consistent: instance.replicator.hasReached(positions) };
    }),
  };
}

/** The families after all modifications in order. Throws before any modification is applied. */
function planFamilies(
  table: Table,
  modifications: m.ModifyColumnFamiliesRequest['modifications'],
): { families: Map<string, Family>; dropped: Family[] } {
  const families = new Map(table.families);
  const dropped: Family[] = [];
  for (const { id, create, update, drop } of modifications) {
    const existing = families.get(id);
    if (create !== undefined) {
      if (existing !== undefined) throw alreadyExists(`Column family already exists: ${id}`);
      families.set(id, createFamily(id, create));
    } else if (existing === undefined) throw notFound(`Column family not found: ${id}`);
    else if (update !== undefined) families.set(id, createFamily(id, update));
    else if (drop) {
      families.delete(id);
      dropped.push(existing);
    } else throw invalidArgument(`expected the modification of '${id}' to be a create, an update or a drop`);
  }
  return { families, dropped };
}

function describe(table: Table, instance: Instance, view: string): m.TableMessage {
  const message: m.TableMessage = { name: table.name };
  if (view === 'SCHEMA_VIEW' || view === 'FULL') {
    message.granularity = 'MILLIS';
    message.columnFamilies = Object.fromEntries([...table.families].map(([id, { gcRule }]) => [id, { gcRule }]));
  }
  if (view === 'FULL' && table.restoredFrom !== undefined)
    message.restoreInfo = { sourceType: 'BACKUP', backupInfo: table.restoredFrom };
  if (view === 'REPLICATION_VIEW' || view === 'FULL') {
    message.clusterStates = Object.fromEntries(
      instance.clusters.map((cluster) => [cluster, { replicationState: 'READY' }]),
    );
  }
  return message;
}
