// The end of a bulk writer whose load has failed, or has lost its claim: no cell is written after it.

import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { eventually } from '../../support/waiting.ts';
import { asStored, cells, startWriter, writeAll } from './writer-rig.ts';

test('a stopped writer sends nothing more, and tells after its last answer whether a cell may be stored', async () => {
  const serverClock = createManualClock();
  const started = await startWriter({ maxBatchEntries: 1 }, { clock: serverClock });
  const { clock, server, stored, writer } = started;
  server.setFault('asia', { down: true });
  const [refused = { rowKey: '', value: '' }, slow = refused] = cells(2);
  void writer.write(refused);
  await eventually(() => expect(clock.pending()).toBe(1));
  server.setFault('asia', { latencyMs: 1000 });
  void writer.write(slow);
  await eventually(() => expect(serverClock.pending()).toBe(1));
  let answer: boolean | undefined;
  const stopping = writer.stop().then((mayHaveWritten) => {
    answer = mayHaveWritten;
  });
  clock.advance(10_000);
  await setImmediate();
  expect(answer).toBeUndefined();
  serverClock.advance(1000);
  await stopping;
  expect(answer).toBe(true);
  server.setFault('asia', {});
  await expect(writer.flush()).rejects.toThrow('expected a call before the end of the writer');
  expect(server.counters('asia').calls.MutateRows).toBe(2);
  expect(await stored()).toEqual(asStored([slow]));
});

test('a writer that is stopped before its first call has written nothing', async () => {
  const first = Promise.withResolvers<void>();
  const { server, writer } = await startWriter({ maxBatchEntries: 1, beforeFirst: () => first.promise });
  void writer.write(cells(1)[0] ?? { rowKey: '', value: '' });
  expect(await writer.stop()).toBe(false);
  first.resolve();
  await expect(writer.flush()).rejects.toThrow('expected a call before the end of the writer');
  expect(server.counters('asia').calls).toEqual({});
});

test('a write rejects once no call of another batch is in flight', async () => {
  const serverClock = createManualClock();
  const { server, writer } = await startWriter({ maxBatchEntries: 1, maxInFlight: 2 }, { clock: serverClock });
  server.setFault('asia', { latencyMs: 1000 });
  const [first = { rowKey: '', value: '' }, second = first] = cells(2);
  void writer.write(first);
  await eventually(() => expect(serverClock.pending()).toBe(1));
  server.setFault('asia', { errorCode: 'PERMISSION_DENIED' });
  let isRejected = false;
  const writing = Promise.resolve(writer.write(second)).catch((error: unknown) => {
    isRejected = true;
    throw error;
  });
  await eventually(() => expect(server.counters('asia').calls.MutateRows).toBe(2));
  serverClock.advance(500);
  expect(isRejected).toBe(false);
  serverClock.advance(500);
  await expect(writing).rejects.toThrow('injected PERMISSION_DENIED');
  expect(server.counters('asia').rowsWritten).toBe(1);
});

test('a batch whose load has lost its claim is not sent, and not sent again', async () => {
  let lost: string | undefined;
  const requireAllowed = () => {
    if (lost !== undefined) throw new Error(lost);
  };
  const { clock, server, writer } = await startWriter({ maxBatchEntries: 5, requireAllowed });
  server.setFault('asia', { down: true });
  const writing = writeAll(writer, cells(5));
  await eventually(() => expect(clock.pending()).toBe(1));
  server.setFault('asia', {});
  lost = 'another load has the generation';
  clock.advance(10_000);
  await expect(writing).rejects.toThrow(lost);
  expect(server.counters('asia')).toMatchObject({ calls: { MutateRows: 1 }, rowsWritten: 0 });
});
