// Reads while the local cluster `europe` is unavailable. `serve-any` leads to `asia`, the first available cluster. The
// clock is manual, so no timer fires by itself.

import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createLocalCluster, FAILURES_TO_EJECT } from '../../../../origin/bigtable/local-cluster.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { createRetryBudget } from '../../../../shared/runtime/retry-budget.ts';
import { eventually, settleWith } from '../../../support/waiting.ts';
import { setFaultOfAll, startInstance, TIMEOUT_MS, writeList } from '../instance.ts';
import { type KeyReadsOptions, openKeyReads } from './key-reads.ts';
import { listKey, readCalls, startTable, textOf, users } from './running-table.ts';

const PROFILES = { appProfile: 'serve-europe', hedgeProfile: 'serve-any' };
const unavailable = { kind: 'error', code: 'unavailable' } as const;
/** Later than a first probe, with a `random` of 0.5. */
const PROBE_MS = 375;

async function startFailover(options: { hedgeProfile?: string | undefined } = {}) {
  const clock = createManualClock();
  const changes: boolean[] = [];
  const localCluster = createLocalCluster({ clock, random: () => 0.5, onChange: (isUp) => changes.push(isUp) });
  const running = await startTable({}, { clock, localCluster, ...PROFILES, ...options });
  await Promise.all(users(50).map((user) => running.write(listKey(user), user)));
  running.server.resetCounters();
  const calls = () => [readCalls(running.server, 'europe'), readCalls(running.server, 'asia')];
  const readOne = async (user = 'u:1') => textOf((await settleWith(clock, running.read(listKey(user)), 1))[0]);
  return { ...running, calls, changes, clock, localCluster, readOne };
}

describe('a local cluster that is down', () => {
  test('fails no read, and after 5 calls is not asked any more', async () => {
    const { calls, changes, readOne, seen, server } = await startFailover();
    server.setFault('europe', { down: true });
    for (let i = 1; i <= 20; i++) {
      expect(await readOne(`u:${i}`)).toBe(`u:${i}`);
      expect(calls()).toEqual([Math.min(i, FAILURES_TO_EJECT), i]);
    }
    expect([changes, seen.failovers.length, seen.errors]).toEqual([[false], 20, []]);
  });

  test('is read elsewhere at once, without a pause', async () => {
    const { clock, read, server } = await startFailover();
    server.setFault('europe', { down: true });
    const startedAtMs = clock.now();
    expect((await read(listKey('u:1'))).map(textOf)).toEqual(['u:1']);
    expect(clock.now()).toBe(startedAtMs);
  });

  test('fails none of many calls that are out at once, more than the budget for extra reads pays for', async () => {
    const { calls, clock, read, server } = await startFailover();
    server.setFault('europe', { down: true });
    const surfaces = Array.from({ length: 10 }, (_, i) => `surface-${i}`);
    const keys = surfaces.flatMap((surface) => users(100).map((user) => listKey(user, { surface: toName(surface) })));
    const results = await settleWith(clock, read(...keys), 1);
    expect(results.filter(({ kind }) => kind !== 'absent')).toEqual([]);
    expect(calls()).toEqual([20, 20]);
  });

  test('costs the budget until it is ejected, and nothing from then on', async () => {
    const { address, bigtable, server } = await startInstance();
    await writeList(bigtable, listKey('u:1'), 'mine');
    const budget = createRetryBudget({ share: 0, reserve: 10 });
    const { clock, start } = await openKeyReads(address, { ...PROFILES, budget } satisfies KeyReadsOptions);
    server.setFault('europe', { down: true });
    for (let i = 0; i < 20; i++) expect((await settleWith(clock, start(['a']).outcome, 1)).failed).toBeUndefined();
    expect(budget.level()).toBeCloseTo((10 - (FAILURES_TO_EJECT - 1)) / 10);
  });

  test('is probed with one call of one key, and read again after one that is answered', async () => {
    const { calls, changes, clock, read, readOne, server } = await startFailover();
    server.setFault('europe', { down: true });
    for (let i = 0; i < FAILURES_TO_EJECT; i++) await readOne();
    server.resetCounters();
    clock.advance(PROBE_MS);
    const keys = users(10).map((user) => listKey(user));
    expect((await read(...keys)).map(textOf)).toEqual(users(10));
    await eventually(() => expect(server.counters('europe').failedCalls).toEqual({ ReadRows: 1 }));
    expect([calls(), server.counters('asia').keysAsked]).toEqual([[1, 1], 10]);
    server.setFault('europe', {});
    await read(listKey('u:1'));
    expect(calls()).toEqual([1, 2]);
    clock.advance(2 * PROBE_MS);
    await read(listKey('u:1'));
    await eventually(() => expect(changes).toEqual([false, true]));
    expect(server.counters('europe').keysAsked).toBe(1);
    server.resetCounters();
    expect(await readOne()).toBe('u:1');
    expect(calls()).toEqual([1, 0]);
  });

  test('fails reads as ever without a profile to go elsewhere with', async () => {
    const { calls, changes, clock, read, seen, server } = await startFailover({ hedgeProfile: undefined });
    server.setFault('europe', { down: true });
    for (let i = 0; i < 3; i++) expect(await settleWith(clock, read(listKey('u:1')), 1)).toEqual([unavailable]);
    clock.advance(10 * PROBE_MS);
    server.setFault('europe', {});
    expect((await read(listKey('u:1'))).map(textOf)).toEqual(['u:1']);
    expect([calls(), changes, seen.failovers]).toEqual([[13, 0], [], []]);
  });
});

describe('another profile that is not there', () => {
  test('does not harm: what failed is repeated, and what goes on failing has the error of the local cluster', async () => {
    const { calls, readOne, read, clock, server } = await startFailover({ hedgeProfile: 'serve-mars' });
    server.setFault('europe', { down: true });
    for (let i = 0; i < FAILURES_TO_EJECT; i++)
      expect(await settleWith(clock, read(listKey('u:1')), 1)).toEqual([unavailable]);
    server.setFault('europe', {});
    server.resetCounters();
    expect([await readOne(), calls()]).toEqual(['u:1', [1, 0]]);
  });
});

describe('a local cluster that takes calls and says nothing', () => {
  test('is hedged after most of the time of a call, as long as nothing was measured, and ejected after 5 calls', async () => {
    const { calls, changes, clock, read, seen, server } = await startFailover();
    server.setFault('europe', { blackHole: true });
    for (let i = 1; i <= FAILURES_TO_EJECT; i++) {
      const reading = read(listKey('u:1'));
      await eventually(() => expect(calls()).toEqual([i, i - 1]));
      clock.advance(0.6 * TIMEOUT_MS - 1);
      expect(calls()).toEqual([i, i - 1]);
      clock.advance(1);
      expect((await reading).map(textOf)).toEqual(['u:1']);
    }
    expect([changes, seen.hedges]).toEqual([[false], Array(FAILURES_TO_EJECT).fill('won')]);
    expect((await read(listKey('u:2'))).map(textOf)).toEqual(['u:2']);
    expect([calls(), seen.failovers]).toEqual([[5, 6], [1]]);
  });

  test('is hedged as soon as calls take longer than their like, and back by one probe', async () => {
    const { changes, clock, read, readOne, server } = await startFailover();
    for (let i = 0; i < 100; i++) await read(listKey('u:1'));
    server.setFault('europe', { blackHole: true });
    const startedAtMs = clock.now();
    for (let i = 0; i < FAILURES_TO_EJECT; i++) expect(await readOne()).toBe('u:1');
    expect(clock.now() - startedAtMs).toBeLessThan(0.1 * TIMEOUT_MS);
    expect(changes).toEqual([false]);
    server.setFault('europe', {});
    clock.advance(PROBE_MS);
    await read(listKey('u:1'));
    await eventually(() => expect(changes).toEqual([false, true]));
  });

  test('fails a probe by its silence', async () => {
    const { calls, changes, clock, localCluster, read, server } = await startFailover();
    for (let i = 0; i < FAILURES_TO_EJECT; i++) localCluster.recordFailure();
    server.setFault('europe', { blackHole: true });
    clock.advance(PROBE_MS);
    await read(listKey('u:1'));
    await eventually(() => expect(calls()).toEqual([1, 1]));
    server.setFault('europe', {});
    clock.advance(1_000);
    clock.advance(2 * PROBE_MS);
    await read(listKey('u:1'));
    await eventually(() => expect(changes).toEqual([false, true]));
    expect(calls()).toEqual([2, 2]);
  });

  test('is not told from a caller who had little time: reads let go of sooner than calls take do not eject it', async () => {
    const { changes, clock, server, table } = await startFailover();
    server.setFault('europe', { blackHole: true });
    for (let i = 0; i < 2 * FAILURES_TO_EJECT; i++) {
      const reading = table.readLists([listKey('u:1')], 10);
      await new Promise(setImmediate);
      clock.advance(10);
      expect(await reading).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
    }
    expect(changes).toEqual([]);
  });
});

describe('what does not eject', () => {
  test.each(['RESOURCE_EXHAUSTED', 'PERMISSION_DENIED', 'INTERNAL'] as const)(
    '%s, which the cluster says itself',
    async (errorCode) => {
      const { calls, changes, readOne, seen, server } = await startFailover();
      server.setFault('europe', { errorCode });
      for (let i = 0; i < 2 * FAILURES_TO_EJECT; i++) await readOne();
      expect([changes, seen.failovers, calls()[1]]).toEqual([[], [], 0]);
    },
  );

  test('a cluster that answers now and then', async () => {
    const { changes, readOne, server } = await startFailover();
    for (let i = 0; i < 5; i++) {
      server.setFault('europe', { down: true });
      for (let j = 1; j < FAILURES_TO_EJECT; j++) expect(await readOne()).toBe('u:1');
      server.setFault('europe', {});
      expect(await readOne()).toBe('u:1');
    }
    expect(changes).toEqual([]);
  });
});

test('with all clusters down keys fail as they do without another one, and are read again once one is up', async () => {
  const { calls, clock, read, readOne, seen, server } = await startFailover();
  setFaultOfAll(server, { down: true });
  for (let i = 0; i < 10; i++) expect(await settleWith(clock, read(listKey('u:1')), 1)).toEqual([unavailable]);
  expect(seen.calls).toHaveLength(40);
  server.setFault('us', {});
  expect(await readOne()).toBe('u:1');
  expect(calls()[1]).toBe(0);
});
