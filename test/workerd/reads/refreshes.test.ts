// Background loads: they are marked up to the origin, and a load that the origin sheds does not affect waiting callers.
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { ListRequest, LoadResult } from '../../../edge/reads/list-source.ts';
import { createReadThrough, type ListReader } from '../../../edge/reads/read-through.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { createTierChain } from '../../../edge/tiers/chain.ts';
import { createMemoryTier } from '../../../edge/tiers/memory.ts';
import { makeEntry } from '../../../shared/caching/lifetime.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { createHarness, type Harness, type Isolate } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import type { Behaviour } from '../support/scripted-origins.ts';
import { turnUntil } from '../support/turns.ts';

const LISTS = '/internal/v1/lists:read';
const PATH = '/v1/me/recommendations/home?fallback=none';
const HOUR_MS = 3_600_000;
const FRESH_MS = 6 * HOUR_MS;
let edge: Harness;
let chance: number;

function setUp(env: object): void {
  chance = 0;
  edge = createHarness({ env, random: () => chance });
  edge.origins.put(keyOf('ann'), makeList('a'));
}

const read = async (isolate: Isolate = edge) => {
  const response = await isolate.get(PATH, { expiresInSeconds: 86_400 });
  return { status: response.status, cache: response.headers.get('cache-status'), body: await response.text() };
};
const asks = () => edge.origins.calls.filter(({ path }) => path === LISTS);
const marks = () => asks().flatMap(({ keys }) => keys.map(({ isBackground }) => isBackground));
/** Reads, and waits until the answer's refresh has reached the origin, which has this behaviour. */
async function refreshUntilAsked(behaviour: Behaviour): Promise<void> {
  await edge.get(PATH, { sub: 'warms-the-manifest', expiresInSeconds: 86_400 });
  edge.origins.behave(behaviour, { path: LISTS, times: 1 });
  const before = asks().length;
  await edge.send(PATH, { expiresInSeconds: 86_400 });
  await turnUntil(() => asks().length > before);
}

describe.each([
  ['without objects of regions', { REGION_TIER: 'off' }],
  ['through an object', { REGION_TIER: 'on', REGION_SHARDS: '1' }],
])('%s', (_, env) => {
  beforeEach(() => setUp(env));

  test('a waited-for read is not marked as background, and the refresh of a stale entry is', async () => {
    await read();
    edge.clock.advance(FRESH_MS);
    await read();
    expect(marks()).toEqual([undefined, true]);
  });

  test('a refresh before its time is marked', async () => {
    await edge.get(PATH, { sub: 'warms-the-manifest', expiresInSeconds: 86_400 });
    edge.origins.behave('slow', { path: LISTS, times: 1 });
    const arrived = edge.origins.arrival('asia');
    const first = read();
    await arrived;
    edge.clock.advance(90);
    edge.origins.release();
    await first;
    edge.clock.advance(FRESH_MS - 90 - 300);
    chance = 0.97;
    expect((await read()).cache).toBe('isolate; hit; ttl=0');
    expect(marks().slice(1)).toEqual([undefined, true]);
  });

  test('a waited-for reload of a list is not marked', async () => {
    await read();
    edge.clock.advance(FRESH_MS + HOUR_MS);
    await read();
    expect(marks()).toEqual([undefined, undefined]);
  });

  test.each<[string, Behaviour]>([
    ['its key', 'sheds'],
    ['the whole call', 503],
  ])(
    'a refresh of which the origin sheds %s is not taken to the next region, and tried again after a second',
    async (_name, shed) => {
      await read();
      edge.clock.advance(FRESH_MS);
      edge.origins.behave(shed, { path: LISTS });
      for (let i = 0; i < 5; i++) expect((await read()).status).toBe(200);
      expect(edge.origins.listReads()).toEqual(['asia', 'asia']);
      expect(edge.counters.get('edge_refresh_failures_total')).toBe(1);
      expect(edge.logs.map(({ event }) => event)).not.toContain('table_failed');
      edge.clock.advance(1_000);
      await read();
      expect(edge.origins.listReads()).toHaveLength(3);
    },
  );

  test('a shed refresh does not delay the load of a waiting caller', async () => {
    await read();
    // Maximum staleness for a list that is served during its refresh. A moment later the request waits for the load.
    edge.clock.advance(FRESH_MS + HOUR_MS - 1);
    edge.origins.behave('sheds', { path: LISTS });
    edge.origins.put(keyOf('ann'), makeList('new'));
    expect((await read()).body).toContain('"a:1"');
    edge.clock.advance(1);
    expect((await read()).body).toContain('"new:1"');
    expect(marks()).toEqual([undefined, true, undefined]);
  });

  test.each<Behaviour>(['slow-sheds', 'slow-fails'])(
    'waiting callers follow a refresh in flight, and if it is shed (%s) one of them loads for all',
    async (behaviour) => {
      await read();
      edge.clock.advance(FRESH_MS + HOUR_MS - 1);
      edge.origins.put(keyOf('ann'), makeList('new'));
      await refreshUntilAsked(behaviour);
      edge.clock.advance(1);
      const before = edge.counters.get('edge_reads_total');
      const waiting = Array.from({ length: 10 }, () => edge.send(PATH, { expiresInSeconds: 86_400 }));
      await turnUntil(() => edge.counters.get('edge_reads_total') === before + waiting.length);
      await scheduler.wait(1);
      const asked = asks().length;
      edge.origins.release();
      for (const response of await Promise.all(waiting)) expect(await response.text()).toContain('"new:1"');
      const own = asks().slice(asked);
      expect(own.map(({ region, keys }) => [region, keys.map(({ isBackground }) => isBackground)])).toEqual([
        ['asia', [undefined]],
      ]);
    },
  );
});

test('a waiting caller in an object follows the refresh of another isolate, and loads if it is shed', async () => {
  setUp({ REGION_TIER: 'on', REGION_SHARDS: '1' });
  const other = edge.addIsolate();
  await read();
  edge.clock.advance(FRESH_MS + HOUR_MS - 1);
  edge.origins.put(keyOf('ann'), makeList('new'));
  await refreshUntilAsked('slow-sheds');
  // By now the list in the object is too stale to be served immediately.
  edge.clock.advance(1);
  const before = edge.counters.get('region_reads_total');
  const waiting = other.send(PATH, { expiresInSeconds: 86_400 });
  await turnUntil(() => edge.counters.get('region_reads_total') > before);
  await scheduler.wait(1);
  edge.origins.release();
  expect(await (await waiting).text()).toContain('"new:1"');
  expect(marks().slice(-2)).toEqual([true, undefined]);
  expect(new Set(edge.origins.listReads())).toEqual(new Set(['asia']));
});

describe('loads of one key', () => {
  const clock = createManualClock();
  const request: ListRequest = { key: keyOf('ann'), ttlSeconds: 60, notBeforeMs: 0 };
  const background: ListRequest = { ...request, isBackground: true };
  const call = (): Call => ({
    deadlineAtMs: clock.now() + 1_000,
    regions: [],
    place: NOWHERE,
    failedRegions: new Set(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: () => {},
  });
  const given = (): LoadResult => {
    const entry = makeEntry(makeList('a', 1), 60, { storedAtMs: clock.now(), loadMs: 0 }, () => 0);
    return { kind: 'entry', entry, isFromCache: false, regions: [] };
  };
  const failed = (isShed: boolean, stale?: LoadResult): Extract<LoadResult, { kind: 'failed' }> => ({
    kind: 'failed',
    reason: isShed ? 'background-shed' : 'region-unavailable',
    regions: [{ region: 'asia' }],
    ...(stale?.kind === 'entry' ? { stale: stale.entry } : {}),
  });
  let lists: ListReader;
  let loads: { isBackground: boolean; settle: (loaded: LoadResult) => void }[];

  beforeEach(() => {
    loads = [];
    const counters = createCounters();
    const nearest = createMemoryTier({ name: 'isolate', maxBytes: 10_000 });
    lists = createReadThrough({
      tiers: createTierChain({ nearest, others: [], clock, counters, side: 'edge' }),
      source: {
        load: (requests) =>
          new Promise((resolve) => {
            const isBackground = requests[0]?.isBackground ?? false;
            loads.push({ isBackground, settle: (loaded) => resolve([loaded]) });
          }),
      },
      clock,
      random: () => 0,
      counters,
      side: 'edge',
      isFenced: () => false,
      loadTimeoutMs: 5_000,

      callers: 'requests',
    });
  });

  const ask = async (of: ListRequest) => (await lists.read([of], call()))[0];
  async function settle(at: number, loaded: LoadResult): Promise<void> {
    loads[at]?.settle(loaded);
    await scheduler.wait(0);
  }

  test('a waiting caller does not accept the second failure of another’s background load', async () => {
    const leader = ask(request);
    const follower = ask(background);
    const waiting = ask(request);
    await scheduler.wait(0);
    await settle(0, failed(false));
    expect(loads.map(({ isBackground }) => isBackground)).toEqual([false, true]);
    await settle(1, failed(true));
    expect(loads.map(({ isBackground }) => isBackground)).toEqual([false, true, false]);
    await settle(2, given());
    expect((await waiting)?.kind).toBe('entry');
    expect([(await leader)?.kind, (await follower)?.kind]).toEqual(['unreachable', 'unreachable']);
  });

  test('a waiting caller does not accept a stale entry after a shed background load', async () => {
    const held = given();
    clock.advance(130_000);
    const leader = ask(background);
    const waiting = ask(request);
    await scheduler.wait(0);
    await settle(0, failed(true, held));
    await settle(1, given());
    expect(await waiting).toMatchObject({ kind: 'entry', entry: { storedAtMs: clock.now() } });
    expect(await leader).toMatchObject({ kind: 'entry', failure: { reason: 'background-shed' } });
  });

  test('for a second after a shed background load, background callers get only the stale entry, and waiting callers load', async () => {
    const first = ask(request);
    await scheduler.wait(0);
    await settle(0, given());
    await first;
    clock.advance(130_000);
    const shed = ask(background);
    await scheduler.wait(0);
    await settle(1, failed(true));
    const told = { kind: 'entry', failure: { reason: 'background-shed' } };
    expect(await shed).toMatchObject(told);
    expect(await ask(background)).toMatchObject(told);
    expect(loads).toHaveLength(2);
    const waiting = ask(request);
    await scheduler.wait(0);
    expect(loads).toHaveLength(3);
    await settle(2, given());
    expect(await waiting).not.toHaveProperty('failure');
  });

  test('a key in back-off is served stale until its end, and loaded by a caller without an entry', async () => {
    const first = ask(request);
    await scheduler.wait(0);
    await settle(0, given());
    await first;
    clock.advance(130_000);
    const refused = ask(request);
    await scheduler.wait(0);
    await settle(1, { ...failed(false), retryAfterMs: 7_000 });
    expect(await refused).toMatchObject({ kind: 'entry', failure: { reason: 'region-unavailable' } });
    clock.advance(6_999);
    expect(await ask(request)).toMatchObject({ kind: 'entry', failure: { reason: 'region-unavailable' } });
    expect(loads).toHaveLength(2);
    clock.advance(1);
    const next = ask(request);
    await scheduler.wait(0);
    expect(loads).toHaveLength(3);
    await settle(2, { ...failed(false), retryAfterMs: 7_000 });
    await next;
    void ask({ ...request, notBeforeMs: clock.now() });
    await scheduler.wait(0);
    expect(loads).toHaveLength(4);
  });

  test('a background caller accepts that a load was shed', async () => {
    const leader = ask(background);
    const follower = ask(background);
    await scheduler.wait(0);
    await settle(0, failed(true));
    await settle(1, failed(true));
    expect([(await leader)?.kind, (await follower)?.kind]).toEqual(['unreachable', 'unreachable']);
    expect(loads).toHaveLength(2);
  });
});
