// The work that a region object continues after its callers have cancelled.

import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import { type Builds, createBuilds } from '../../../edge/builds.ts';
import type { ListRequest, LoadResult } from '../../../edge/reads/list-source.ts';
import type { RegionAnswer } from '../../../edge/region/protocol.ts';
import { createRegionLists, type RegionLists } from '../../../edge/region/region-lists.ts';
import { neverTraced } from '../../../edge/request/trace.ts';
import { createMemoryTier } from '../../../edge/tiers/memory.ts';
import { makeEntry } from '../../../shared/caching/lifetime.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { type Counters, createCounters } from '../../../shared/runtime/counters.ts';
import { TEST_REGIONS } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const REGION = TEST_REGIONS[0] as Region;
const HOUR_MS = 3_600_000;

interface OriginCall {
  readonly users: readonly string[];
  isCancelled: boolean;
  answer(): void;
}

let clock: ManualClock;
let counters: Counters;
let builds: Builds;
let object: RegionLists;
let calls: OriginCall[];

beforeEach(() => {
  clock = createManualClock();
  counters = createCounters();
  calls = [];
  builds = createBuilds(counters);
  object = createRegionLists({
    region: REGION,
    builds,
    openTrace: neverTraced,
    memory: createMemoryTier({ name: 'region', maxBytes: 100_000 }),
    origin: {
      read: (_, requests, { cancellation }) =>
        new Promise((resolve) => {
          const users = requests.map(({ key }) => key.user);
          const call = { users, isCancelled: false, answer: () => resolve(users.map(given)) };
          cancellation?.onCancel(() => {
            call.isCancelled = true;
            const regions = [{ region: REGION.name, origin: { detail: 'cancelled' } }];
            resolve(users.map(() => ({ kind: 'failed', reason: 'region-unavailable', regions })));
          });
          calls.push(call);
        }),
    },
    clock,
    random: () => 0,
    counters,
    loadTimeoutMs: 2_000,
  });
});

const given = (user: string): LoadResult => {
  const entry = makeEntry(makeList(user, 1), 3_600, { storedAtMs: clock.now(), loadMs: 0 }, () => 0);
  return { kind: 'entry', entry, isFromCache: false, regions: [] };
};
const requestOf = (user: string): ListRequest => ({ key: keyOf(user), ttlSeconds: 3_600, notBeforeMs: 0 });
function read(id: string, ...users: readonly string[]): Promise<RegionAnswer> {
  const reads = users.map(requestOf);
  const call = {
    id,
    region: REGION.name,
    deadlineMs: 1_000,
    requestId: 'request-1',
    traceparent: undefined,
    devLocation: undefined,
    reads,
  };
  return object.read(call, () => {});
}
/** For each read, whether it got a list. */
const gave = (answer: RegionAnswer): readonly boolean[] =>
  answer.kind === 'reads' ? answer.reads.map(({ entry, failure }) => entry !== undefined && failure === undefined) : [];
const settled = () => scheduler.wait(0);

test('an answer names the builds of the object and of its origin', async () => {
  builds.setOwn('3f2c9a1');
  const first = read('1', 'ann');
  await settled();
  calls[0]?.answer();
  expect(await first).toMatchObject({ version: 4, build: '3f2c9a1' });
  builds.note('origin-asia', { build: '0.1.0', messages: 2 });
  expect(await read('2', 'ann')).toMatchObject({ build: '3f2c9a1', origin: { build: '0.1.0', messages: 2 } });
});

describe('a load', () => {
  test('is cancelled with its only caller, and starts again for the next', async () => {
    const reading = read('1', 'ann');
    await settled();
    object.cancel('1');
    expect(calls[0]?.isCancelled).toBe(true);
    expect(gave(await reading)).toEqual([false]);
    const next = read('2', 'ann');
    await settled();
    calls[1]?.answer();
    expect(gave(await next)).toEqual([true]);
    expect(counters.get('region_cancelled_total')).toBe(1);
  });

  test('continues while any caller waits for it', async () => {
    const leader = read('1', 'ann');
    const followers = [read('2', 'ann'), read('3', 'ann')];
    await settled();
    object.cancel('1');
    object.cancel('3');
    await settled();
    expect(calls.map(({ isCancelled }) => isCancelled)).toEqual([false]);
    calls[0]?.answer();
    expect((await Promise.all([leader, ...followers])).map(gave)).toEqual([[true], [true], [false]]);
    expect(gave(await read('4', 'ann'))).toEqual([true]);
    expect(calls).toHaveLength(1);
  });

  test('is cancelled with its last caller', async () => {
    const both = [read('1', 'ann'), read('2', 'ann')];
    await settled();
    object.cancel('1');
    object.cancel('2');
    await settled();
    expect(calls.map(({ isCancelled }) => isCancelled)).toEqual([true]);
    expect((await Promise.all(both)).map(gave)).toEqual([[false], [false]]);
  });

  test('with many keys continues while another caller waits for one of them', async () => {
    const leader = read('1', 'ann', 'bob');
    const follower = read('2', 'bob');
    await settled();
    object.cancel('1');
    expect(calls[0]?.isCancelled).toBe(false);
    calls[0]?.answer();
    expect([gave(await leader), gave(await follower)]).toEqual([[true, true], [true]]);
  });

  test('that waits for a call to return is not sent after its last caller has cancelled', async () => {
    const first = read('1', 'ann');
    await settled();
    const second = read('2', 'bob');
    const third = read('3', 'carl');
    await settled();
    object.cancel('2');
    calls[0]?.answer();
    await settled();
    expect(calls.map(({ users }) => users)).toEqual([['ann'], ['carl']]);
    calls[1]?.answer();
    expect((await Promise.all([first, second, third])).map(gave)).toEqual([[true], [false], [true]]);
  });

  test('for several callers continues for the remaining ones', async () => {
    const first = read('1', 'ann');
    await settled();
    const second = read('2', 'bob');
    const third = read('3', 'carl');
    await settled();
    calls[0]?.answer();
    await settled();
    object.cancel('2');
    await settled();
    expect(calls.map(({ users, isCancelled }) => [users, isCancelled])).toEqual([
      [['ann'], false],
      [['bob', 'carl'], false],
    ]);
    object.cancel('3');
    expect(calls[1]?.isCancelled).toBe(true);
    expect((await Promise.all([first, second, third])).map(gave)).toEqual([[true], [false], [false]]);
  });

  test('that was cancelled does not count against the origin: the next caller does not get a stale entry', async () => {
    const first = read('1', 'ann');
    await settled();
    calls[0]?.answer();
    await first;
    clock.advance(3 * HOUR_MS);
    const second = read('2', 'ann');
    await settled();
    object.cancel('2');
    await second;
    const third = read('3', 'ann');
    await settled();
    expect(calls).toHaveLength(3);
    calls[2]?.answer();
    expect(gave(await third)).toEqual([true]);
  });

  test('that refreshes a served entry continues: it is for the next caller', async () => {
    const first = read('1', 'ann');
    await settled();
    calls[0]?.answer();
    await first;
    clock.advance(HOUR_MS);
    expect(gave(await read('2', 'ann'))).toEqual([true]);
    object.cancel('2');
    expect(calls.map(({ isCancelled }) => isCancelled)).toEqual([false, false]);
    calls[1]?.answer();
  });
});

test('a call that is not known, or has been answered, is not cancelled', async () => {
  const reading = read('1', 'ann');
  await settled();
  calls[0]?.answer();
  await reading;
  object.cancel('1');
  object.cancel('never');
  expect(counters.get('region_cancelled_total')).toBe(0);
});

test.each<[string, object]>([
  ['a user that is no id', { user: 'ann/../bob' }],
  ['no user', { user: undefined }],
  ['a surface that is no name', { surface: 'home/x' }],
])('a call with %s is refused, and nothing is read', async (_what, change) => {
  const request = { ...requestOf('ann'), key: { ...keyOf('ann'), ...change } } as ListRequest;
  const call = { id: 'c', region: REGION.name, deadlineMs: 2_000, traceparent: undefined, devLocation: undefined };
  const answer = object.read({ ...call, reads: [requestOf('bob'), request] }, () => {});
  await expect(answer).rejects.toThrow('expected every key of a call to have valid parts, got another');
  expect(calls).toEqual([]);
});
