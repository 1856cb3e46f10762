import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createHeartbeatLoop, HEARTBEAT_MS } from '../../../../origin/heartbeat/heartbeat-loop.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';

/** A loop whose writes end as `write` does. */
function setUp(write: () => Promise<void> = async () => {}) {
  const clock = createManualClock();
  const counters = createCounters();
  const errors: unknown[] = [];
  let writes = 0;
  const loop = createHeartbeatLoop({
    write: () => {
      writes++;
      return write();
    },
    clock,
    counters,
    onError: (error) => errors.push(error),
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await setImmediate();
  };
  return { clock, counters, errors, loop, pass, writes: () => writes };
}

test('a heartbeat is written at the start, and then every five seconds', async () => {
  const { counters, loop, pass, writes } = setUp();
  loop.start();
  await setImmediate();
  expect(writes()).toBe(1);
  await pass(HEARTBEAT_MS - 1);
  expect(writes()).toBe(1);
  await pass(1);
  expect(writes()).toBe(2);
  expect(counters.get('origin_heartbeats_total')).toBe(2);
});

test('a failed write is counted and reported, and the next one comes at its time', async () => {
  let isBroken = true;
  const failure = new Error('no table');
  const { counters, errors, loop, pass } = setUp(async () => {
    if (isBroken) throw failure;
  });
  loop.start();
  await setImmediate();
  expect([errors, counters.get('origin_heartbeat_failures_total')]).toEqual([[failure], 1]);
  isBroken = false;
  await pass(HEARTBEAT_MS);
  expect([errors.length, counters.get('origin_heartbeats_total')]).toEqual([1, 1]);
});

test('a stop writes a last time after the write in flight, and leaves no timer', async () => {
  const pending: (() => void)[] = [];
  const { clock, loop, pass, writes } = setUp(() => new Promise<void>((resolve) => pending.push(resolve)));
  loop.start();
  await setImmediate();
  const stopped = loop.stop();
  await setImmediate();
  expect(writes()).toBe(1);
  pending[0]?.();
  await setImmediate();
  expect(writes()).toBe(2);
  pending[1]?.();
  await stopped;
  await pass(10 * HEARTBEAT_MS);
  expect([writes(), clock.pending()]).toEqual([2, 0]);
});
