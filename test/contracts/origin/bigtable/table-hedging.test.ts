// A call slower than the p95 of its size is hedged at another cluster. The local cluster is `europe`; `serve-any` leads
// to `asia`, the first available cluster. The cluster's latency has a manual clock of its own, so a delayed call never
// completes by itself.

import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createHedgeDelay } from '../../../../origin/bigtable/reads/hedge-delay.ts';
import { toUserId } from '../../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../../shared/domain/keys.ts';
import { createRetryBudget } from '../../../../shared/runtime/retry-budget.ts';
import { eventually } from '../../../support/waiting.ts';
import { startInstance, TIMEOUT_MS, writeList } from '../instance.ts';
import { type KeyReadsOptions, openKeyReads } from './key-reads.ts';
import { listKey, readCalls, startTable, textOf, users } from './running-table.ts';
import { startScriptedBigtable } from './scripted-bigtable.ts';

const PROFILES = { appProfile: 'serve-europe', hedgeProfile: 'serve-any' };
/** Longer than any call of these tests was measured to take. */
const SLOW_MS = 20;
const ROW_KEY = makeRowKey(toUserId('u:1'));

/** `measured` calls of one key took 10 ms each. The local cluster delays the next call. */
async function startHedging(options: KeyReadsOptions & { measured?: number } = {}) {
  const serverClock = createManualClock();
  const instance = await startInstance({ clock: serverClock });
  await writeList(instance.bigtable, listKey('u:1'), 'mine');
  const hedgeDelay = createHedgeDelay();
  for (let i = 0; i < (options.measured ?? 100); i++) hedgeDelay.observe(1, 10);
  const reads = await openKeyReads(instance.address, { ...PROFILES, hedgeDelay, ...options });
  instance.server.resetCounters();
  const { server } = instance;
  const hold = (cluster: string) => server.setFault(cluster, { latencyMs: 60_000 });
  hold('europe');
  const calls = () => [readCalls(server, 'europe'), readCalls(server, 'asia')];
  return { ...reads, server, serverClock, hold, calls };
}

describe('a call that takes longer than its like', () => {
  test('is asked a second time, the first answer counts, and the loser is cancelled at the cluster', async () => {
    const { calls, clock, seen, serverClock, start } = await startHedging();
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    clock.advance(SLOW_MS);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([calls(), seen.calls, seen.hedges, seen.slow]).toEqual([[1, 1], [1, 1], ['won'], 1]);
    await eventually(() => expect(serverClock.pending()).toBe(0));
  });

  test('may still win, and then the second call is cancelled', async () => {
    const { calls, clock, hold, seen, serverClock, start } = await startHedging();
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    serverClock.advance(1);
    hold('asia');
    clock.advance(SLOW_MS);
    await eventually(() => expect(serverClock.pending()).toBe(2));
    serverClock.advance(59_999);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([calls(), seen.hedges]).toEqual([[1, 1], ['lost']]);
    await eventually(() => expect(serverClock.pending()).toBe(0));
  });

  test('is not over when the second one fails', async () => {
    const { clock, seen, server, serverClock, start } = await startHedging();
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    server.setFault('asia', { errorCode: 'UNAVAILABLE' });
    clock.advance(SLOW_MS);
    await eventually(() => expect(server.counters('asia').failedCalls).toEqual({ ReadRows: 1 }));
    serverClock.advance(60_000);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([seen.hedges, seen.retries]).toEqual([['lost'], 0]);
  });

  test('may fail while the second one is out, which then brings the rest without a repetition', async () => {
    const { clock, hold, seen, server, serverClock, start } = await startHedging();
    server.setFault('europe', { latencyMs: 100, errorCode: 'UNAVAILABLE' });
    hold('asia');
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    clock.advance(SLOW_MS);
    await eventually(() => expect(serverClock.pending()).toBe(2));
    serverClock.advance(100);
    await eventually(() => expect(server.counters('europe').failedCalls).toEqual({ ReadRows: 1 }));
    serverClock.advance(60_000);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([seen.calls, seen.hedges, seen.retries]).toEqual([[1, 1], ['won'], 0]);
  });

  test('is asked a second time only for the keys that are missing', async () => {
    const { address, asked } = await startScriptedBigtable([
      { messages: [{ rows: ['a'] }], isHeld: true },
      { messages: [{ rows: ['c'] }] },
    ]);
    const hedgeDelay = createHedgeDelay();
    for (let i = 0; i < 100; i++) hedgeDelay.observe(3, 10);
    const { clock, seen, start } = await openKeyReads(address, { ...PROFILES, hedgeDelay });
    const { outcome, rows } = start(['a', 'b', 'c']);
    await eventually(() => expect(rows).toEqual({ a: 'a' }));
    clock.advance(SLOW_MS);
    expect(await outcome).toEqual({ rows: { a: 'a', b: undefined, c: 'c' } });
    expect([asked, seen.hedges]).toEqual([
      [
        ['a', 'b', 'c'],
        ['b', 'c'],
      ],
      ['won'],
    ]);
  });

  test('is asked a second time only once, however long it takes', async () => {
    const { calls, clock, hold, seen, serverClock, start } = await startHedging();
    hold('asia');
    const { cancel } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    for (let i = 0; i < 20; i++) clock.advance(SLOW_MS);
    await eventually(() => expect(calls()).toEqual([1, 1]));
    expect([seen.calls, seen.slow]).toEqual([[1, 1], 1]);
    cancel();
    await eventually(() => expect(serverClock.pending()).toBe(0));
  });

  test('that comes after a retry is hedged too', async () => {
    const { calls, clock, hold, seen, server, serverClock, start } = await startHedging();
    server.setFault('europe', { errorCode: 'INTERNAL' });
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(seen.retries).toBe(1));
    hold('europe');
    clock.advance(5);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    clock.advance(SLOW_MS);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([calls(), seen.hedges]).toEqual([[2, 1], ['won']]);
  });
});

describe('nothing is asked a second time', () => {
  test.each<[when: string, options: KeyReadsOptions & { measured?: number }]>([
    ['before 100 calls were measured', { measured: 99 }],
    ['without a profile for it', { hedgeProfile: undefined }],
  ])('%s, though it is told that the call is slow', async (_when, options) => {
    const { calls, clock, seen, serverClock, start } = await startHedging(options);
    const { cancel } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    clock.advance(TIMEOUT_MS / 2);
    expect([seen.calls, seen.hedges, seen.slow, calls()]).toEqual([[1], [], 1, [1, 0]]);
    cancel();
  });

  test('while the budget is spent; it is told once, and tried again later', async () => {
    const budget = createRetryBudget({ share: 0.5, reserve: 10 });
    budget.tryWithdraw(10);
    const { clock, seen, serverClock, start } = await startHedging({ budget });
    const { outcome } = start([ROW_KEY]);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    clock.advance(SLOW_MS);
    expect([seen.calls, seen.hedges]).toEqual([[1], ['denied']]);
    budget.deposit(2);
    clock.advance(4 * SLOW_MS);
    expect(await outcome).toEqual({ rows: { [ROW_KEY]: 'mine' } });
    expect([seen.calls, seen.hedges]).toEqual([
      [1, 1],
      ['denied', 'won'],
    ]);
  });
});

test('of 200 calls that are slow at the same time only as many are asked again as the budget has', async () => {
  const budget = createRetryBudget({ share: 0.05, reserve: 10 });
  const { clock, seen, serverClock, start } = await startHedging({ budget });
  const reads = Array.from({ length: 200 }, () => start([ROW_KEY]));
  await eventually(() => expect(serverClock.pending()).toBe(200));
  clock.advance(SLOW_MS);
  expect(seen.calls).toHaveLength(210);
  await Promise.all(reads.slice(0, 10).map(({ outcome }) => outcome));
  expect([
    seen.hedges.filter((each) => each === 'won').length,
    seen.hedges.filter((each) => each === 'denied').length,
  ]).toEqual([10, 190]);
  for (const { cancel } of reads) cancel();
  await eventually(() => expect(serverClock.pending()).toBe(0));
});

test('of 2 000 reads with 1 % of calls delayed none waits for the delay, and at most 5 % more keys are read', async () => {
  const [clock, serverClock] = [createManualClock(), createManualClock()];
  let draws = 0;
  const random = () => (draws++ % 100 === 50 ? 0 : 1);
  const { read, seen, server, write } = await startTable({ clock: serverClock, random }, { clock, ...PROFILES });
  await Promise.all(users(100).map((user) => write(listKey(user), user)));
  const READS = 2000;
  const startedAtMs = clock.now();
  for (let i = 0; i < READS; i++) {
    if (i === 100) server.setFault('europe', { latencyMs: 60_000, latencyShare: 0.01 });
    let results: Awaited<ReturnType<typeof read>> | undefined;
    const reading = read(listKey(`u:${i % 100}`)).then((each) => {
      results = each;
    });
    while (results === undefined) {
      await new Promise(setImmediate);
      // Held at the cluster, so it is slow by any measure.
      if (serverClock.pending() > 0) clock.advance(1);
    }
    await reading;
    expect(results.map(textOf)).toEqual([`u:${i % 100}`]);
    await eventually(() => expect(serverClock.pending()).toBe(0));
  }
  const delayed = READS / 100 - 1;
  expect(seen.hedges).toEqual(Array(delayed).fill('won'));
  expect(seen.calls.reduce((sum, keys) => sum + keys, 0)).toBeLessThanOrEqual(READS * 1.05);
  // The time of all delayed reads together; without hedges each takes 60 s.
  expect(clock.now() - startedAtMs).toBeLessThan(delayed * 20);
});
