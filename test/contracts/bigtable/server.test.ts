// The embedded Bigtable as a server: counters, splits, order of reads, start and end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { collect, INSTANCE_NAME, noRetry } from './clients.ts';
import { setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

test('a point read is one call, one requested key and one row read; a miss is counted as such', async () => {
  const { bigtable, cells, values, write } = await startEmbedded();
  await write('asia', 'k', 'v');
  bigtable.resetCounters();
  await values('asia', 'k');
  expect(bigtable.counters('asia')).toMatchObject({ calls: { ReadRows: 1 }, keysAsked: 1, rowsRead: 1, rowsMissed: 0 });
  await cells('asia', { rows: { rowKeys: ['k', 'nobody', 'no one'].map((key) => Buffer.from(key)) } });
  expect(bigtable.counters('asia')).toMatchObject({ calls: { ReadRows: 2 }, keysAsked: 4, rowsRead: 2, rowsMissed: 2 });
  expect(bigtable.counters('asia').readRowsOwnTime.count).toBe(2);
  expect(bigtable.counters('us').calls).toEqual({});
});

test('the splits a table was made with are its samples, and the end of the table is the last', async () => {
  const { clients } = await startEmbedded();
  const initialSplits = ['8', '4', 'c'].map((key) => ({ key: Buffer.from(key) }));
  const request = { parent: INSTANCE_NAME, tableId: 'split', table: {}, initialSplits };
  await clients.tableAdmin.createTable(request, noRetry);
  const stream = clients.data.sampleRowKeys({ tableName: `${INSTANCE_NAME}/tables/split` }, noRetry);
  const samples = await collect<{ rowKey: Buffer }>(stream);
  expect(samples.map(({ rowKey }) => String(rowKey))).toEqual(['4', '8', 'c', '']);
});

test('a reversed read gives the same rows from the last to the first', async () => {
  const { cells, write } = await startEmbedded();
  for (const key of ['a', 'b', 'c', 'd']) await write('', key, key);
  const rows = {
    rowKeys: [Buffer.from('a')],
    rowRanges: [{ startKeyClosed: Buffer.from('b'), endKeyOpen: Buffer.from('d') }],
  };
  const read = async (request: object) => (await cells('', { reversed: true, ...request })).map(({ key }) => key);
  expect(await read({ rows })).toEqual(['c', 'b', 'a']);
  expect(await read({ rowsLimit: 3 })).toEqual(['d', 'c', 'b']);
});

test('a row of thirty thousand cells, written in no order, comes back whole and in order', async () => {
  const { clients, cells } = await startEmbedded();
  const count = 30_000;
  const numbers = Array.from({ length: count }, (_, index) => (index * 7919) % count);
  const mutations = numbers.map((number) => setCell(String(number), number + 1));
  await clients.data.mutateRow({ tableName: TABLE_NAME, rowKey: Buffer.from('wide'), mutations }, noRetry);
  const read = await cells('');
  expect(read).toHaveLength(count);
  expect(read.every(({ value }, index) => String(value) === String(count - 1 - index))).toBe(true);
});

test('a port in use is a one-line error, for the server and for its control port', async () => {
  const { bigtable } = await startEmbedded({ controlPort: 0 });
  const { port, controlPort = 0 } = bigtable;
  await expect(startBigtable({ port })).rejects.toThrow(
    `the embedded Bigtable cannot listen on 127.0.0.1:${port}: the port is in use`,
  );
  await expect(startBigtable({ controlPort })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${controlPort}: the port is in use`,
  );
});

async function runMain(...args: string[]) {
  const child = spawn(process.execPath, ['dev/bigtable/main.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const output = { out: '', err: '' };
  child.stdout.on('data', (data) => {
    output.out += String(data);
  });
  child.stderr.on('data', (data) => {
    output.err += String(data);
  });
  return { child, exited, output };
}

test('as a process it prints its address in one line, and ends cleanly at a signal', async () => {
  const { child, exited, output } = await runMain('--port', '0', '--control-port', '0');
  await once(child.stdout, 'data');
  expect(output.out).toMatch(
    /^embedded Bigtable listening on 127\.0\.0\.1:\d+, control on http:\/\/127\.0\.0\.1:\d+\n$/,
  );
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(output.err).toBe('');
});

test.each([
  [['--port', 'many'], "bigtable: expected --port to be a whole number from 0 to 65535, got 'many'\n"],
  [['--replication-lag-ms', '-1'], /^bigtable: .*--replication-lag-ms.*\n$/],
  [['--nope'], /^bigtable: Unknown option '--nope'.*\n$/],
])('as a process it answers %j with one line and exit code 2', async (args, line) => {
  const { exited, output } = await runMain(...args);
  expect(await exited).toEqual([2, null]);
  if (typeof line === 'string') expect(output.err).toBe(line);
  else expect(output.err).toMatch(line);
  expect(output.out).toBe('');
});
