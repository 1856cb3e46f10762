// Replay of an instance's records from a journal.
import type { RowMutation } from '../mutations/mutations.ts';
import { createFamily, createTable, type Table } from '../rows/table.ts';
import type { Instance } from './instance.ts';
import type { InstanceRecord, RecordedMutation } from './instance-records.ts';

/** Applies the record. Throws an Error for a row without its table or family. */
export function replay(instance: Instance, record: InstanceRecord): void {
  if (record.kind === 'schema') {
    replaySchema(instance, record);
    return;
  }
  const table = instance.tables.get(record.table);
  if (table === undefined) throw new Error(`expected the schema of ${record.table} before its rows`);
  if (record.kind === 'drop') {
    instance.dropRows(table, record.low, record.high);
    return;
  }
  const mutations = record.mutations.map((mutation): RowMutation => withFamily(table, mutation));
  instance.commit(record.cluster, table, record.key, mutations);
}

function replaySchema(instance: Instance, { tables, profiles }: InstanceRecord & { kind: 'schema' }): void {
  const names = new Set(tables.map(({ name }) => name));
  for (const name of [...instance.tables.keys()].filter((known) => !names.has(known))) instance.removeTable(name);
  for (const { name, splits, families, restoredFrom } of tables) {
    const table = instance.tables.get(name) ?? createTable(name, splits, instance.clusters, restoredFrom);
    instance.tables.set(name, table);
    const wanted = new Map(families.map((family) => [family.name, createFamily(family.name, family)]));
    const dropped = [...table.families.values()].filter((family) => !wanted.has(family.name));
    instance.changeFamilies(table, wanted, dropped);
  }
  instance.profiles.clear();
  for (const profile of profiles) instance.profiles.set(profile.id, profile);
}

function withFamily(table: Table, mutation: RecordedMutation): RowMutation {
  if (!('family' in mutation)) return mutation;
  const family = table.families.get(mutation.family);
  if (family === undefined) throw new Error(`expected the schema of ${table.name} to have family ${mutation.family}`);
  return { ...mutation, family } as RowMutation;
}
