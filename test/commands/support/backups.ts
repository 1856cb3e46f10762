// Backups of Earshot's tables and their restore into another instance, through Google's admin client as gcloud does it.
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { TABLES } from '../../../shared/domain/keys.ts';

/** `heartbeats` has no value after a loss. The manifest is first: the lists that it names are in the later ones. */
const BACKED_UP = [TABLES.control, TABLES.items, TABLES.recommendations];
const CLUSTER = 'asia';
const options = { timeout: 60_000, retry: null };

const clusterOf = ({ instanceName }: BigtableConnection): string => `${instanceName}/clusters/${CLUSTER}`;

/** `id` is part of the names of the backups. */
export async function backUpTables(bigtable: BigtableConnection, id: string): Promise<void> {
  const admin = await bigtable.tableAdmin();
  const expireTime = { seconds: Math.floor(Date.now() / 1000) + 86_400 };
  for (const table of BACKED_UP) {
    const backup = { sourceTable: bigtable.tableName(table), expireTime };
    const request = { parent: clusterOf(bigtable), backupId: `${table}-${id}`, backup };
    const [operation] = await admin.createBackup(request, options);
    await operation.promise();
  }
}

export async function restoreTables(from: BigtableConnection, id: string, into: BigtableConnection): Promise<void> {
  const admin = await into.tableAdmin();
  for (const tableId of BACKED_UP) {
    const backup = `${clusterOf(from)}/backups/${tableId}-${id}`;
    const [operation] = await admin.restoreTable({ parent: into.instanceName, tableId, backup }, options);
    await operation.promise();
  }
}

/** The loss of an instance: its tables are gone, and its backups stay. */
export async function dropTables(bigtable: BigtableConnection): Promise<void> {
  const admin = await bigtable.tableAdmin();
  for (const table of BACKED_UP) await admin.deleteTable({ name: bigtable.tableName(table) }, options);
}
