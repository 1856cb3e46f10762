// The bulk writer: every accepted row is in Bigtable exactly once and unchanged, or the flush rejects.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { eventually, settleWith } from '../../support/waiting.ts';
import { asStored, cells, startWriter, writeAll } from './writer-rig.ts';

test('everything written is stored exactly as given, in its column and under its timestamp', async () => {
  const { stored, writer } = await startWriter({ maxBatchEntries: 7 });
  const written = cells(100, (i) => ['', 'plain', '{"id":"é","score":1.0},\n{}', '\0\u{1f3b5}'][i % 4] ?? '');
  await writeAll(writer, written);
  expect(await stored()).toEqual(asStored(written));
});

test.each([
  { limit: { maxBatchEntries: 4 }, count: 10, calls: 3 },
  { limit: { maxBatchEntries: 4 }, count: 8, calls: 2 },
  { limit: { maxBatchEntries: 1 }, count: 3, calls: 3 },
  { limit: { maxBatchBytes: 250 }, count: 9, calls: 3 },
  { limit: { maxBatchBytes: 100 }, count: 3, calls: 3 },
  { limit: {}, count: 251, calls: 2 },
])('$count cells of 100 bytes with $limit are $calls calls', async ({ limit, count, calls }) => {
  const { server, stored, writer } = await startWriter(limit);
  const written = cells(count, (i) => String(i).padEnd(100));
  await writeAll(writer, written);
  expect(server.counters('asia')).toMatchObject({ calls: { MutateRows: calls }, rowsWritten: count });
  expect(await stored()).toEqual(asStored(written));
});

test('bytes are counted, not characters', async () => {
  const { server, writer } = await startWriter({ maxBatchBytes: 300 });
  await writeAll(
    writer,
    cells(2, () => '\u{1f3b5}'.repeat(75)),
  );
  expect(server.counters('asia').calls).toEqual({ MutateRows: 2 });
});

test('the number of batches in flight is bounded, and the writer accepts more after an answer', async () => {
  const serverClock = createManualClock();
  const { server, stored, writer } = await startWriter({ maxBatchEntries: 1, maxInFlight: 2 }, { clock: serverClock });
  server.setFault('asia', { latencyMs: 1000 });
  const written = cells(6);
  let taken = 0;
  const writing = (async () => {
    for (const cell of written) {
      await writer.write(cell);
      taken++;
    }
    await writer.flush();
  })();
  for (const [outOf, takenBy] of [
    [2, 1],
    [4, 3],
    [6, 5],
  ] as const) {
    await eventually(() => expect(serverClock.pending()).toBe(2));
    expect(server.counters('asia').calls).toEqual({ MutateRows: outOf });
    expect(taken).toBe(takenBy);
    serverClock.advance(1000);
  }
  await writing;
  server.setFault('asia', {});
  expect(await stored()).toEqual(asStored(written));
});

test('entries that fail are tried again on their own until all are in, each written once', async () => {
  let draw = 0;
  const random = () => ((draw++ * 7) % 10) / 10;
  const { clock, server, stored, writer } = await startWriter({ maxBatchEntries: 50 }, { random });
  server.setFault('asia', { entryErrorShare: 0.4, errorCode: 'UNAVAILABLE', errorShare: 0 });
  const written = cells(200);
  await settleWith(clock, writeAll(writer, written));
  expect(await stored()).toEqual(asStored(written));
  expect(server.counters('asia').rowsWritten).toBe(200);
  expect(server.counters('asia').calls.MutateRows).toBeGreaterThan(8);
  expect(clock.pending()).toBe(0);
});

test('calls that fail are tried again until the cluster is up', async () => {
  const { clock, server, stored, writer } = await startWriter({ maxBatchEntries: 10 });
  server.setFault('asia', { down: true });
  const written = cells(25);
  const writing = writeAll(writer, written);
  await eventually(() => expect(clock.pending()).toBe(3));
  server.setFault('asia', {});
  clock.advance(10_000);
  await writing;
  expect(await stored()).toEqual(asStored(written));
});

test('a cluster that stays down is given up after 8 calls, with one error that says how much was left', async () => {
  const { clock, server, writer } = await startWriter();
  const startedAtMs = clock.now();
  server.setFault('asia', { down: true });
  await expect(settleWith(clock, writeAll(writer, cells(3)))).rejects.toMatchObject({
    code: 'unavailable',
    source: 'table',
    message: expect.stringMatching(/^writing 3 rows to recommendations \(attempt 8\) failed: .*cluster 'asia' is down/),
  });
  expect(server.counters('asia').calls).toEqual({ MutateRows: 8 });
  expect(clock.now() - startedAtMs).toBeGreaterThanOrEqual(7000);
  expect(clock.pending()).toBe(0);
});

test('a cluster that wants capacity is waited for: a batch is given up after ten minutes, not after 8 calls', async () => {
  const { clock, server, stored, writer } = await startWriter();
  server.setFault('asia', { errorCode: 'RESOURCE_EXHAUSTED', errorShare: 1 });
  const written = cells(3);
  const writing = writeAll(writer, written);
  for (let i = 0; i < 20; i++) {
    await eventually(() => expect(clock.pending()).toBe(1));
    clock.advance(10_000);
  }
  server.setFault('asia', {});
  await settleWith(clock, writing);
  expect(await stored()).toEqual(asStored(written));
  server.setFault('asia', { errorCode: 'RESOURCE_EXHAUSTED', errorShare: 1 });
  const startedAtMs = clock.now();
  await expect(settleWith(clock, writeAll(writer, cells(3)))).rejects.toMatchObject({ code: 'overloaded' });
  expect(clock.now() - startedAtMs).toBeGreaterThanOrEqual(600_000);
  expect(clock.now() - startedAtMs).toBeLessThan(700_000);
});

test('an entry that can never be written ends the load at once, while its neighbours are in', async () => {
  const draws = [0.9, 0.1, 0.9];
  const { server, stored, writer } = await startWriter({}, { random: () => draws.shift() ?? 1 });
  server.setFault('asia', { entryErrorShare: 0.5, errorCode: 'PERMISSION_DENIED', errorShare: 0 });
  const written = cells(3);
  await expect(writeAll(writer, written)).rejects.toMatchObject({
    code: 'internal',
    message: 'writing 1 rows to recommendations (attempt 1) failed: injected PERMISSION_DENIED',
  });
  expect(await stored()).toEqual(asStored([written[0], written[2]].flatMap((cell) => cell ?? [])));
});

test.each([
  [
    'a family that the table lacks',
    { family: 'x' },
    /^writing 3 rows to recommendations \(attempt 1\) failed: .*column family not found/,
  ],
  ['a table that does not exist', { table: 'nothing' }, /^writing 3 rows to nothing \(attempt 1\) failed: .*not found/],
  ['a profile that does not exist', { appProfile: 'nobody' }, /\(attempt 1\) failed: .*App profile not found/],
])('%s is one clear error after one attempt', async (_what, options, message) => {
  const { clock, writer } = await startWriter(options);
  await expect(writeAll(writer, cells(3))).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(message),
  });
  expect(clock.pending()).toBe(0);
});

test('a failed writer accepts no rows: the next full batch and every flush reject', async () => {
  const { server, writer } = await startWriter({ maxBatchEntries: 1, maxInFlight: 1, family: 'x' });
  const [first = { rowKey: '', value: '' }, second = first] = cells(2);
  await expect(writer.write(first)).rejects.toThrow('writing 1 rows');
  await expect(writer.write(second)).rejects.toThrow('writing 1 rows');
  await expect(writer.flush()).rejects.toThrow('writing 1 rows');
  await expect(writer.flush()).rejects.toThrow('writing 1 rows');
  expect(server.counters('asia').rowsWritten).toBe(0);
});

test('nothing is lost when many cells are written without waiting in between', async () => {
  const { stored, writer } = await startWriter({ maxBatchEntries: 10, maxInFlight: 2 });
  const written = cells(995);
  const rooms = written.map((cell) => writer.write(cell));
  await writer.flush();
  await Promise.all(rooms);
  expect(await stored()).toEqual(asStored(written));
});

test('the writer accepts rows after a flush, and an empty flush makes no call', async () => {
  const { server, stored, writer } = await startWriter();
  await writer.flush();
  expect(server.counters('asia').calls).toEqual({});
  const written = cells(4);
  await writeAll(writer, written.slice(0, 2));
  await writeAll(writer, written.slice(2));
  expect(await stored()).toEqual(asStored(written));
});

test('a load that is repeated changes nothing', async () => {
  const { server, stored, writer } = await startWriter();
  const written = cells(5);
  await writeAll(writer, written);
  await writeAll(writer, written);
  expect(server.counters('asia').rowsWritten).toBe(10);
  expect(await stored()).toEqual(asStored(written));
});

test("the server's flow control reaches the throttle, because the writer announces that it obeys it", async () => {
  const factors: unknown[] = [];
  const throttle = {
    ...{ admit: async () => undefined, rate: () => Number.POSITIVE_INFINITY },
    report: ({ factor }: { factor?: number | undefined }) => factors.push(factor),
  };
  const { server, stored, writer } = await startWriter({ throttle, maxBatchEntries: 10 });
  await writeAll(writer, cells(10));
  server.setFault('asia', { flowControlFactor: 0.75 });
  await writeAll(writer, cells(10));
  expect(factors).toEqual([undefined, 0.75]);
  expect(await stored()).toHaveLength(10);
});

test('the stored prefix has no gap: a batch that fails holds back those behind it', async () => {
  const { server, writer } = await startWriter({ maxBatchEntries: 5, maxInFlight: 1 });
  for (const cell of cells(7)) await writer.write(cell);
  await eventually(() => expect(writer.stored()).toBe(5));
  server.setFault('asia', { errorCode: 'PERMISSION_DENIED' });
  await expect(writer.flush()).rejects.toThrow(/PERMISSION_DENIED|injected/);
  expect([writer.accepted(), writer.stored()]).toEqual([7, 5]);
});
