// Batches of misses to the origin: departure time, size, and the result of late callers.
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import type { ListRequest, LoadResult } from '../../../edge/reads/list-source.ts';
import { type Batcher, createBatcher, MAX_CALLS, MAX_LINGER_MS } from '../../../edge/region/batcher.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { makeEntry } from '../../../shared/caching/lifetime.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { MAX_KEYS_PER_READ } from '../../../shared/wire/read-response.ts';
import { TEST_REGIONS } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const REGION = TEST_REGIONS[0] as Region;
const DEADLINE_MS = 1_000;

interface OriginCall {
  readonly users: readonly string[];
  readonly deadlineAtMs: number;
  /** Answers each key with its own list. */
  answer(): void;
}

let clock: ManualClock;
let batcher: Batcher;
let calls: OriginCall[];
let kept: Promise<unknown>[];

beforeEach(() => {
  clock = createManualClock();
  calls = [];
  kept = [];
  const read = (_: Region, requests: readonly ListRequest[], { deadlineAtMs }: Call): Promise<LoadResult[]> =>
    new Promise((resolve) => {
      const users = requests.map(({ key }) => key.user);
      calls.push({ users, deadlineAtMs, answer: () => resolve(users.map(loadedFor)) });
    });
  batcher = createBatcher({ region: REGION, origin: { read }, clock });
});

const loadedFor = (user: string): LoadResult => {
  const times = { storedAtMs: clock.now(), loadMs: 0 };
  const entry = makeEntry(makeList(user, 1), 60, times, () => 0);
  return { kind: 'entry', entry, isFromCache: false, regions: [] };
};

const callOf = (deadlineMs = DEADLINE_MS): Call => ({
  deadlineAtMs: clock.now() + deadlineMs,
  regions: [REGION],
  place: NOWHERE,
  failedRegions: new Set(),
  requestId: 'request-1',
  traceparent: undefined,
  timings: createTimings(clock),
  waitUntil: (work) => void kept.push(work),
});

const usersOf = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `u${from + i}`);
const load = (users: readonly string[], deadlineMs?: number): Promise<LoadResult[]> =>
  batcher.load(
    users.map((user) => ({ key: keyOf(user), ttlSeconds: 60, notBeforeMs: 0 })),
    callOf(deadlineMs),
  );
const digests = (loaded: readonly LoadResult[]): string[] =>
  loaded.map((each) => {
    if (each.kind === 'failed') return each.regions[0]?.origin?.detail ?? 'failed';
    return each.entry.value.kind === 'list' ? each.entry.value.digest : 'absent';
  });
const sent = (): number[] => calls.map(({ users }) => users.length);
/** Answers a call and lets its callers continue. */
const answer = async (at: number): Promise<void> => {
  calls[at]?.answer();
  await scheduler.wait(0);
};

describe('misses', () => {
  test('leave at once when no call is out, all of a caller’s together', async () => {
    const loaded = load(['a', 'b']);
    expect(calls.map(({ users }) => users)).toEqual([['a', 'b']]);
    expect([batcher.waiting(), clock.pending()]).toEqual([0, 0]);
    await answer(0);
    expect(digests(await loaded)).toEqual(['digest-a', 'digest-b']);
  });

  test('that come while a call is out leave together when it returns, and each caller gets its own in its order', async () => {
    const first = load(['a']);
    const others = [load(['b', 'c']), load(['d']), load(['e', 'f'])];
    expect([sent(), batcher.waiting()]).toEqual([[1], 5]);
    await answer(0);
    expect(calls[1]?.users).toEqual(['b', 'c', 'd', 'e', 'f']);
    expect(clock.pending()).toBe(0);
    await answer(1);
    expect(digests(await first)).toEqual(['digest-a']);
    expect((await Promise.all(others)).map(digests)).toEqual([
      ['digest-b', 'digest-c'],
      ['digest-d'],
      ['digest-e', 'digest-f'],
    ]);
  });

  test('do not wait longer than a short while for a call that is slow', async () => {
    void load(['a']);
    void load(['b']);
    clock.advance(MAX_LINGER_MS - 1);
    void load(['c']);
    expect(sent()).toEqual([1]);
    clock.advance(1);
    expect(calls[1]?.users).toEqual(['b', 'c']);
    expect(clock.pending()).toBe(0);
  });

  test(`are out in at most ${MAX_CALLS} calls, however long those take`, async () => {
    for (let i = 0; i < MAX_CALLS; i++) {
      void load([`u${i}`]);
      clock.advance(MAX_LINGER_MS);
    }
    void load(['late']);
    clock.advance(10 * MAX_LINGER_MS);
    expect([calls.length, batcher.waiting()]).toEqual([MAX_CALLS, 1]);
    await answer(2);
    clock.advance(MAX_LINGER_MS);
    expect(calls.at(-1)?.users).toEqual(['late']);
    expect(calls).toHaveLength(MAX_CALLS + 1);
  });

  test(`leave by ${MAX_KEYS_PER_READ}, full calls without waiting, and each result goes to its caller`, async () => {
    const count = 2 * MAX_KEYS_PER_READ + 50;
    const first = load(['first']);
    const loaded = load(usersOf(0, count));
    expect(sent()).toEqual([1, MAX_KEYS_PER_READ, MAX_KEYS_PER_READ]);
    expect(batcher.waiting()).toBe(50);
    clock.advance(MAX_LINGER_MS);
    expect(sent()).toEqual([1, MAX_KEYS_PER_READ, MAX_KEYS_PER_READ, 50]);
    for (const at of [3, 1, 0, 2]) await answer(at);
    expect(digests(await loaded)).toEqual(usersOf(0, count).map((user) => `digest-${user}`));
    expect(digests(await first)).toEqual(['digest-first']);
  });

  test('are kept going for each caller whose misses a call carries', async () => {
    void load(['a']);
    void load(['b']);
    void load(['c']);
    expect(kept).toHaveLength(1);
    await answer(0);
    expect(kept).toHaveLength(3);
    await answer(1);
    expect(await Promise.all(kept)).toHaveLength(3);
  });
});

describe('deadlines', () => {
  test('that have passed before the misses leave are failures, and those misses are not sent', async () => {
    void load(['a'], 10_000);
    for (let i = 0; i < MAX_CALLS; i++) {
      clock.advance(MAX_LINGER_MS);
      void load([`out-${i}`], 10_000);
    }
    const late = load(['late'], 100);
    const inTime = load(['in-time'], 5_000);
    clock.advance(100);
    const before = calls.length;
    await answer(0);
    clock.advance(MAX_LINGER_MS);
    expect(calls.slice(before).flatMap(({ users }) => users)).toEqual(['out-3', 'in-time']);
    expect(digests(await late)).toEqual(['timeout']);
    await answer(before);
    expect(digests(await inTime)).toEqual(['digest-in-time']);
  });

  test('for a call are the longest of its misses', async () => {
    void load(['a']);
    void load(['b'], 300);
    void load(['c'], 900);
    void load(['d'], 600);
    const nowMs = clock.now();
    await answer(0);
    expect(calls[1]).toMatchObject({ users: ['b', 'c', 'd'], deadlineAtMs: nowMs + 900 });
  });

  test('that have all passed cost no call, and delay no later caller', async () => {
    void load(['a']);
    const late = load(['b'], MAX_LINGER_MS);
    clock.advance(MAX_LINGER_MS);
    expect(digests(await late)).toEqual(['timeout']);
    expect([sent(), clock.pending(), batcher.waiting()]).toEqual([[1], 0, 0]);
    await answer(0);
    void load(['c']);
    expect(calls[1]?.users).toEqual(['c']);
  });
});
