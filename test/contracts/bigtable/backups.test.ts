// Backups of the embedded Bigtable through Google's admin client, as gcloud calls it: a backup has the rows of its
// moment, and is restored into another instance.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { codeOf, connect, gaxOptions, INSTANCE_NAME, noRetry, PROJECT, readCells } from './clients.ts';
import { type Embedded, startEmbedded, TABLE_NAME } from './embedded.ts';

const OTHER_INSTANCE = `projects/${PROJECT}/instances/restored`;
const RESTORED = `${OTHER_INSTANCE}/tables/t`;
const BACKUP = `${INSTANCE_NAME}/clusters/europe/backups/daily`;
const expireTime = { seconds: 4_000_000_000 };

async function backUp({ clients }: Embedded, backupId = 'daily', sourceTable = TABLE_NAME): Promise<void> {
  const request = { parent: `${INSTANCE_NAME}/clusters/europe`, backupId, backup: { sourceTable, expireTime } };
  const [operation] = await clients.tableAdmin.createBackup(request, noRetry);
  await operation.promise();
}

async function restore({ tableAdmin }: Embedded['clients'], backup = BACKUP): Promise<void> {
  const [operation] = await tableAdmin.restoreTable({ parent: OTHER_INSTANCE, tableId: 't', backup }, noRetry);
  await operation.promise();
}

const valuesOf = async ({ data }: Embedded['clients'], tableName: string): Promise<string[]> =>
  (await readCells(data, { tableName })).map(({ key, micros, value }) => `${key} ${micros} ${value}`);

test('a restored table has the rows, timestamps and families of the moment of its backup', async () => {
  const embedded = await startEmbedded({ rule: { versions: 2 } });
  const { clients, mutate, write } = embedded;
  await write('asia', 'a', 'first', 1000);
  await write('asia', 'a', 'second', 2000);
  await write('asia', 'b', 'kept', 1000);
  await backUp(embedded);
  await mutate('asia', 'b', { deleteFromRow: {} });
  await write('asia', 'c', 'later', 3000);
  await clients.tableAdmin.deleteTable({ name: TABLE_NAME }, noRetry);
  await restore(clients);
  expect(await valuesOf(clients, RESTORED)).toEqual(['a 2000000 second', 'a 1000000 first', 'b 1000000 kept']);
  const [table] = await clients.tableAdmin.getTable({ name: RESTORED }, gaxOptions);
  expect(table.columnFamilies).toMatchObject({ l: { gcRule: { maxNumVersions: 2 } } });
});

test('the full view of a restored table names its backup and the moment of it', async () => {
  const embedded = await startEmbedded();
  const beforeMs = Date.now();
  await backUp(embedded);
  const afterMs = Date.now();
  await restore(embedded.clients);
  const [{ restoreInfo }] = await embedded.clients.tableAdmin.getTable({ name: RESTORED, view: 'FULL' }, gaxOptions);
  const { backup, sourceTable, startTime } = restoreInfo?.backupInfo ?? {};
  expect({ backup, sourceTable }).toEqual({ backup: BACKUP, sourceTable: TABLE_NAME });
  const startMs = Number(startTime?.seconds) * 1000 + Number(startTime?.nanos) / 1_000_000;
  expect(startMs).toBeGreaterThanOrEqual(beforeMs);
  expect(startMs).toBeLessThanOrEqual(afterMs);
  const [own] = await embedded.clients.tableAdmin.getTable({ name: TABLE_NAME, view: 'FULL' }, gaxOptions);
  expect(own.restoreInfo).toBeNull();
});

test('a backup has the writes that its own cluster has', async () => {
  const embedded = await startEmbedded();
  await embedded.write('asia', 'a', 'everywhere');
  embedded.bigtable.stopReplication('europe');
  await embedded.write('asia', 'b', 'not in europe');
  await backUp(embedded);
  await restore(embedded.clients);
  expect(await valuesOf(embedded.clients, RESTORED)).toEqual(['a 1000000 everywhere']);
});

test('unknown and existing names are refused with the codes of Cloud Bigtable', async () => {
  const embedded = await startEmbedded();
  const NOT_FOUND = 5;
  const ALREADY_EXISTS = 6;
  await backUp(embedded);
  expect(await codeOf(backUp(embedded))).toBe(ALREADY_EXISTS);
  expect(await codeOf(backUp(embedded, 'other', `${INSTANCE_NAME}/tables/missing`))).toBe(NOT_FOUND);
  expect(await codeOf(restore(embedded.clients, `${BACKUP}-missing`))).toBe(NOT_FOUND);
  await restore(embedded.clients);
  expect(await codeOf(restore(embedded.clients))).toBe(ALREADY_EXISTS);
});

test('a restored table is there again after a restart with the journal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-backups-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const journal = join(directory, 'rows');
  const embedded = await startEmbedded({ journal });
  await embedded.write('asia', 'a', 'kept');
  await backUp(embedded);
  await restore(embedded.clients);

  const again = await startBigtable({ journal });
  const clients = connect(again.endpoint);
  onTestFinished(async () => {
    await clients.close();
    await again.close();
  });
  expect(await valuesOf(clients, RESTORED)).toEqual(['a 1000000 kept']);
  const [{ restoreInfo }] = await clients.tableAdmin.getTable({ name: RESTORED, view: 'FULL' }, gaxOptions);
  expect(restoreInfo?.backupInfo?.backup).toBe(BACKUP);
});
