// The journal of the embedded Bigtable: a server that starts with it has every answered write and the schema again.
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { openJournal } from '../../../dev/bigtable/journal.ts';
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import { connectBigtable } from '../../../origin/bigtable/connection.ts';
import { readManifest } from '../../../origin/bigtable/manifest-row.ts';
import { CLUSTERS, MONDAY, manifestOf, publishManifest, TIMEOUT_MS } from '../origin/instance.ts';
import { connect, type RawCell, readCells } from './clients.ts';
import { startEmbedded, TABLE_NAME } from './embedded.ts';

let directory: string;
let journal: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-journal-'));
  journal = join(directory, 'rows');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a killed process starts again with its tables, profiles and manifest', async () => {
  const [port = 0] = await findFreePorts(1);
  const bigtable = connectBigtable({ project: 'p', instance: 'i', emulatorHost: `127.0.0.1:${port}` });
  const start = async () => {
    const running = spawnNode(['dev/bigtable/main.ts', '--port', String(port), '--journal', journal]);
    await running.printed('listening');
    return running;
  };
  const first = await start();
  await applySchema(bigtable, { clusters: CLUSTERS, dryRun: false }, () => undefined);
  await publishManifest(bigtable, manifestOf(1), MONDAY);
  first.child.kill('SIGKILL');
  await first.exited;

  const second = await start();
  const changes: unknown[] = [];
  await applySchema(bigtable, { clusters: CLUSTERS, dryRun: true }, (change) => changes.push(change));
  expect(changes.filter((change) => !JSON.stringify(change).includes('unchanged'))).toEqual([]);
  expect((await readManifest(bigtable, 'control', TIMEOUT_MS)).manifest).toEqual(manifestOf(1));
  second.child.kill('SIGKILL');
  await second.exited;
  await bigtable.close();
});

/** All cells of each cluster after a start with the journal. */
async function cellsAfterStart(): Promise<RawCell[][]> {
  const server = await startBigtable({ journal, replicationLagMs: 3_600_000 });
  const { data, close } = connect(server.endpoint);
  try {
    const read = (appProfileId: string) => readCells(data, { tableName: TABLE_NAME, appProfileId });
    return [await read('asia'), await read('europe'), await read('us')];
  } finally {
    await close();
    await server.close();
  }
}

test('every cluster has the writes, deletions and dropped rows of all clusters', async () => {
  const embedded = await startEmbedded({ journal, replicationLagMs: 3_600_000 });
  await embedded.write('asia', 'k', 'old', 1000);
  await embedded.write('us', 'k', 'new', 2000);
  await embedded.write('asia', 'gone', 'v');
  await embedded.mutate('asia', 'gone', { deleteFromRow: {} });
  await embedded.write('europe', 'dropped', 'v');
  await embedded.clients.tableAdmin.dropRowRange({ name: TABLE_NAME, rowKeyPrefix: Buffer.from('drop') });
  const [asia, europe, us] = await cellsAfterStart();
  expect(asia?.map(({ key, micros, value }) => [key, micros, value.toString()])).toEqual([
    ['k', 2_000_000, 'new'],
    ['k', 1_000_000, 'old'],
  ]);
  expect(europe).toEqual(asia);
  expect(us).toEqual(asia);
});

test.each([1, 3, 40])(
  'a record that lacks its last %d bytes is removed, and the next write follows',
  async (missing) => {
    const embedded = await startEmbedded({ journal });
    await embedded.write('asia', 'a', 'v');
    await embedded.write('asia', 'b', 'v');
    truncateSync(journal, statSync(journal).size - missing);
    expect((await cellsAfterStart())[0]?.map(({ key }) => key)).toEqual(['a']);

    const records: unknown[] = [];
    const again = openJournal(journal, (record) => records.push(record));
    again.append({ kind: 'next' });
    again.close();
    const all: unknown[] = [];
    openJournal(journal, (record) => all.push(record)).close();
    expect(all).toEqual([...records, { kind: 'next' }]);
  },
);

test('a file that is no journal is refused in one line', async () => {
  writeFileSync(journal, Buffer.from([0, 0, 0, 2, 1, 2, 3]));
  await expect(startBigtable({ journal })).rejects.toThrow(
    `expected ${journal} to be a journal of the embedded Bigtable`,
  );
});
