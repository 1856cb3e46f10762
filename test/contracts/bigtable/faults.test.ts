// Faults of the embedded Bigtable: each affects only its own cluster, and a cancelled call leaves nothing behind.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { eventually } from '../../support/waiting.ts';
import { codeOf, collect, INSTANCE_NAME, noRetry } from './clients.ts';
import { CLUSTERS, type MutateRowsAnswer, setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

test('a cluster that is down answers UNAVAILABLE to every call, and the others answer as before', async () => {
  const { bigtable, clients, write, values } = await startEmbedded();
  bigtable.setFault('asia', { down: true });
  expect(await codeOf(values('asia', 'k'))).toBe(14);
  expect(await codeOf(write('asia', 'k', 'v'))).toBe(14);
  expect(await codeOf(clients.data.pingAndWarm({ name: INSTANCE_NAME, appProfileId: 'asia' }, noRetry))).toBe(14);
  await write('europe', 'k', 'v');
  expect(await values('us', 'k')).toEqual(['v']);
  bigtable.setFault('asia', {});
  expect(await values('asia', 'k')).toEqual(['v']);
});

test('latency and jitter delay a call by their values, and the work follows the delay', async () => {
  const clock = createManualClock();
  const { bigtable, values, write } = await startEmbedded({ clock, random: () => 0.5 });
  bigtable.setFault('asia', { latencyMs: 300, jitterMs: 100 });
  let isAnswered = false;
  const writing = write('asia', 'k', 'v').then(() => {
    isAnswered = true;
  });
  await eventually(() => expect(clock.pending()).toBe(1));
  clock.advance(349);
  expect(await values('us', 'k')).toEqual([]);
  expect(isAnswered).toBe(false);
  clock.advance(1);
  await writing;
  expect(await values('us', 'k')).toEqual(['v']);
});

test('a share of calls fails with the set code', async () => {
  const draws = [0.1, 0.9, 0.29, 0.3];
  const { bigtable, values } = await startEmbedded({ random: () => draws.shift() ?? 1 });
  bigtable.setFault('us', { errorShare: 0.3, errorCode: 'RESOURCE_EXHAUSTED' });
  const codes = [];
  for (let call = 0; call < 4; call++) codes.push(await codeOf(values('us', 'k')));
  expect(codes).toEqual([8, 'no error', 8, 'no error']);
  expect(bigtable.counters('us')).toMatchObject({ calls: { ReadRows: 4 }, failedCalls: { ReadRows: 2 } });
});

test('latency is added to a share of calls, and the others are answered at once', async () => {
  const clock = createManualClock();
  const draws = [0.9, 0.1, 0.9];
  const { bigtable, values, write } = await startEmbedded({ clock, random: () => draws.shift() ?? 1 });
  await write('asia', 'k', 'v');
  bigtable.setFault('us', { latencyMs: 1000, latencyShare: 0.5 });
  expect(await values('us', 'k')).toEqual(['v']);
  const delayed = values('us', 'k');
  await eventually(() => expect(clock.pending()).toBe(1));
  expect(await values('us', 'k')).toEqual(['v']);
  clock.advance(1000);
  expect(await delayed).toEqual(['v']);
});

test('a share of ReadRows calls breaks off inside a row with the error: whole rows come before it', async () => {
  const draws = [0.9, 0.1];
  const { bigtable, clients, write } = await startEmbedded({ random: () => draws.shift() ?? 1 });
  for (const key of ['a', 'b', 'c', 'd']) await write('asia', key, key);
  bigtable.setFault('asia', { cutShare: 0.5, errorCode: 'ABORTED', errorShare: 0 });
  const read = async () => {
    const chunks: { rowKey: Uint8Array; commitRow?: boolean }[] = [];
    const stream = clients.data.readRows({ tableName: TABLE_NAME }, noRetry);
    stream.on('data', (response: { chunks: typeof chunks }) => chunks.push(...response.chunks));
    const code = await codeOf(new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject)));
    return { code, rows: chunks.map(({ rowKey, commitRow }) => [Buffer.from(rowKey).toString(), commitRow === true]) };
  };
  const whole = ['a', 'b', 'c', 'd'].map((key) => [key, true]);
  expect(await read()).toEqual({ code: 'no error', rows: whole });
  expect(await read()).toEqual({ code: 10, rows: [...whole.slice(0, 2), ['c', false]] });
  expect(bigtable.counters('asia').failedCalls).toEqual({ ReadRows: 1 });
});

test('a cluster of limited capacity answers one read after the other, each after the time that its keys take', async () => {
  const clock = createManualClock();
  const { bigtable, cells } = await startEmbedded({ clock });
  bigtable.setFault('asia', { rowsPerSecond: 100 });
  const answered: string[] = [];
  const read = (name: string, profile: string, ...keys: string[]) =>
    cells(profile, { rows: { rowKeys: keys.map((key) => Buffer.from(key)) } }).then(() => answered.push(name));
  const reads = [read('first', 'asia', 'a', 'b', 'c')];
  await eventually(() => expect(clock.pending()).toBe(1));
  reads.push(read('second', 'asia', 'a'));
  await eventually(() => expect(clock.pending()).toBe(2));
  await read('elsewhere', 'us', 'a', 'b', 'c');
  clock.advance(29);
  expect(clock.pending()).toBe(2);
  clock.advance(1);
  await reads[0];
  expect(clock.pending()).toBe(1);
  clock.advance(10);
  await Promise.all(reads);
  expect(answered).toEqual(['elsewhere', 'first', 'second']);
  bigtable.setFault('asia', {});
  await read('healed', 'asia', 'a');
});

test('a share of a bulk write\u2019s entries fails while the call and the other entries succeed', async () => {
  const draws = [0.9, 0.1, 0.9];
  const { bigtable, clients, cells } = await startEmbedded({ random: () => draws.shift() ?? 1 });
  bigtable.setFault('asia', { entryErrorShare: 0.5, errorCode: 'ABORTED', errorShare: 0 });
  const entries = ['a', 'b', 'c'].map((key) => ({ rowKey: Buffer.from(key), mutations: [setCell(key)] }));
  const [answer] = await collect<MutateRowsAnswer>(
    clients.data.mutateRows({ tableName: TABLE_NAME, entries }, noRetry),
  );
  expect(answer?.entries.map(({ status }) => status.code)).toEqual([0, 10, 0]);
  expect((await cells('asia')).map(({ key }) => key)).toEqual(['a', 'c']);
});

test('a black hole accepts calls and never answers: the caller\u2019s deadline ends them, and nothing was written', async () => {
  const clock = createManualClock();
  const { bigtable, clients, values } = await startEmbedded({ clock });
  bigtable.setFault('asia', { blackHole: true });
  const request = { tableName: TABLE_NAME, rowKey: Buffer.from('k'), mutations: [setCell('v')] };
  expect(await codeOf(clients.data.mutateRow(request, { ...noRetry, timeout: 100 }))).toBe(4);
  expect(bigtable.counters('asia').calls).toEqual({ MutateRow: 1 });
  expect(clock.pending()).toBe(0);
  bigtable.setFault('asia', {});
  expect(await values('asia', 'k')).toEqual([]);
});

test('a call that is cancelled during its delay leaves no timer and does no work', async () => {
  const clock = createManualClock();
  const { bigtable, clients, values } = await startEmbedded({ clock });
  bigtable.setFault('asia', { latencyMs: 1000 });
  const request = { tableName: TABLE_NAME, rowKey: Buffer.from('k'), mutations: [setCell('v')] };
  const writing = clients.data.mutateRow(request, { ...noRetry, timeout: 200 });
  const reading = clients.data.readRows({ tableName: TABLE_NAME }, noRetry);
  const cancelled = codeOf(collect(reading));
  await eventually(() => expect(clock.pending()).toBe(2));
  reading.cancel();
  expect(await codeOf(writing)).toBe(4);
  await cancelled;
  await eventually(() => expect(clock.pending()).toBe(0));
  clock.advance(10_000);
  bigtable.setFault('asia', {});
  expect(await values('asia', 'k')).toEqual([]);
  expect(bigtable.counters('asia').rowsWritten).toBe(0);
});

test('a reader that cancels a long scan stops it', async () => {
  const { bigtable, clients } = await startEmbedded();
  const value = 'x'.repeat(100_000);
  const entries = Array.from({ length: 600 }, (_, index) => ({
    rowKey: Buffer.from(`k${index}`),
    mutations: [setCell(value)],
  }));
  for (let from = 0; from < entries.length; from += 100) {
    const batch = { tableName: TABLE_NAME, entries: entries.slice(from, from + 100) };
    await collect(clients.data.mutateRows(batch, noRetry));
  }
  const reading = clients.data.readRows({ tableName: TABLE_NAME }, noRetry);
  await new Promise((resolve) => reading.once('data', resolve));
  reading.cancel();
  await codeOf(collect(reading));
  await eventually(() => expect(bigtable.counters('asia').readRowsOwnTime.count).toBe(1));
  const { rowsRead } = bigtable.counters('asia');
  expect(rowsRead).toBeGreaterThan(0);
  expect(rowsRead).toBeLessThan(600);
});

test('a malformed fault and a cluster that does not exist are refused', async () => {
  const { bigtable } = await startEmbedded();
  expect(() => bigtable.setFault('mars', { down: true })).toThrow(
    "expected the cluster to be one of asia, europe, us, got 'mars'",
  );
  for (const share of ['errorShare', 'entryErrorShare', 'latencyShare', 'cutShare'])
    expect(() => bigtable.setFault('us', { [share]: 2 })).toThrow();
  expect(CLUSTERS.map((name) => bigtable.clusters().find((cluster) => cluster.name === name)?.fault)).toEqual([
    {},
    {},
    {},
  ]);
});
