// Backups of tables: the rows of one cluster at one moment. A backup is restored as a new table of any instance of the
// server, and outlives its source. Backups are in memory alone; a restored table is in the journal.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { type PackedRow, unpackRow } from '../rows/packed-row.ts';
import { createFamily, createTable, rowsOf, type Table } from '../rows/table.ts';
import { unary } from '../wire/calls.ts';
import type * as m from '../wire/messages.ts';
import { checkInstanceName, splitName } from '../wire/names.ts';
import type { Protocol } from '../wire/protocol.ts';
import { alreadyExists, invalidArgument, notFound } from '../wire/status.ts';
import type { Instance, Instances } from './instance.ts';

interface Backup {
  readonly message: m.BackupMessage;
  readonly families: readonly { readonly name: string; readonly gcRule: m.GcRule | null }[];
  readonly splits: readonly string[];
  readonly rows: ReadonlyMap<string, PackedRow>;
}

/** The calls of BigtableTableAdmin for backups. */
export function createBackupCalls(
  instances: Instances,
  clock: Clock,
  { serializeBackup, serializeTable }: Pick<Protocol, 'serializeBackup' | 'serializeTable'>,
): UntypedServiceImplementation {
  const backups = new Map<string, Backup>();
  const find = (name: string): Backup => {
    const backup = backups.get(name);
    if (backup === undefined) throw notFound(`Backup not found: ${name}`);
    return backup;
  };

  return {
    createBackup: unary<m.CreateBackupRequest, m.Operation>(({ parent, backupId, backup }) => {
      const { instance: instanceName, id: cluster } = splitName(parent, 'clusters');
      const instance = instances(instanceName);
      if (!instance.clusters.includes(cluster)) throw notFound(`Cluster not found: ${parent}`);
      const name = `${parent}/backups/${backupId}`;
      if (backups.has(name)) throw alreadyExists(`Backup already exists: ${name}`);
      if (backup?.expireTime == null) throw invalidArgument('expected backup.expire_time to be set');
      const table = instance.table(backup.sourceTable);
      const atMs = clock.now();
      const times = { startTime: toTimestamp(atMs), endTime: toTimestamp(atMs), expireTime: backup.expireTime };
      const message = { name, sourceTable: table.name, ...times, state: 'READY' } as const;
      backups.set(name, {
        message,
        families: [...table.families.values()].map(({ name: family, gcRule }) => ({ name: family, gcRule })),
        splits: table.splits,
        rows: new Map(rowsOf(table, cluster).packedEntries()),
      });
      return finished(name, 'CreateBackupMetadata', 'Backup', serializeBackup(message));
    }),

    getBackup: unary<{ name: string }, m.BackupMessage>(({ name }) => find(name).message),

    restoreTable: unary<m.RestoreTableRequest, m.Operation>(({ parent, tableId, backup: backupName = '' }) => {
      const instance = instances(checkInstanceName(parent));
      const name = `${parent}/tables/${tableId}`;
      if (instance.tables.has(name)) throw alreadyExists(`Table already exists: ${name}`);
      const table = restore(instance, name, find(backupName));
      return finished(name, 'RestoreTableMetadata', 'Table', serializeTable({ name: table.name }));
    }),
  };
}

/** Writes the rows in the first cluster. Replication brings them to the others. */
function restore(instance: Instance, name: string, { message, families, splits, rows }: Backup): Table {
  const { name: backup, sourceTable, startTime, endTime } = message;
  const table = createTable(name, splits, instance.clusters, { backup, sourceTable, startTime, endTime });
  for (const { name: family, gcRule } of families) table.families.set(family, createFamily(family, { gcRule }));
  instance.addTable(table);
  for (const [key, packed] of rows) {
    const mutations = unpackRow(packed).flatMap(({ family: familyName, qualifier, cells }) => {
      const family = table.families.get(familyName);
      return family === undefined ? [] : cells.map((cell) => ({ kind: 'set' as const, family, qualifier, cell }));
    });
    if (mutations.length > 0) instance.commit(instance.clusters[0] ?? '', table, key, mutations);
  }
  return table;
}

const toTimestamp = (ms: number): m.Timestamp => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 });

/** The response marks the operation as done, so no client polls it. */
function finished(name: string, metadata: string, type: string, value: Buffer): m.Operation {
  const types = 'type.googleapis.com/google.bigtable.admin.v2';
  return {
    name: `operations/${name}/locations/local/operations/1`,
    done: true,
    metadata: { typeUrl: `${types}.${metadata}`, value: Buffer.alloc(0) },
    response: { typeUrl: `${types}.${type}`, value },
  };
}
