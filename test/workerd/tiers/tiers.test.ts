// The tiers: the contract on each, the specifics of each, and the chain above them.
import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { RegionCache } from '../../../edge/region/region-cache.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { createTierChain } from '../../../edge/tiers/chain.ts';
import { createColoTier } from '../../../edge/tiers/colo.ts';
import { createMemoryTier } from '../../../edge/tiers/memory.ts';
import type { MemoryTier, Tier } from '../../../edge/tiers/tier.ts';
import type { Entry } from '../../../shared/caching/entry.ts';
import type { CacheKey } from '../../../shared/domain/keys.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { drive } from '../support/drive.ts';
import { makeList } from '../support/lists.ts';
import { tierContract } from './tier-contract.ts';

let hosts = 0;
const clock = createManualClock();
const openCache = () => caches.open('tiers');
/** A tier does not look into its keys. */
const keyOf = (text: string): CacheKey => text as CacheKey;
const KEY = keyOf('key');
const makeColo = () => createColoTier({ clock, openCache, keyOrigin: `https://tier-${hosts++}.test` });

tierContract('isolate', () => ({
  tier: createMemoryTier({ name: 'isolate', maxBytes: 1_000_000 }),
  nowMs: clock.now(),
}));
tierContract('colo', () => ({ tier: makeColo(), nowMs: clock.now() }));
tierContract('region', () => ({ tier: makeRegion(), nowMs: clock.now() }));

/** The memory tier of a new object, inside the object. */
function makeRegion(): Tier {
  const { REGION_CACHE: namespace } = env as unknown as { REGION_CACHE: DurableObjectNamespace<RegionCache> };
  const stub = namespace.getByName(`contract-${hosts++}`);
  const inObject = <T>(use: (tier: Tier) => Promise<T>): Promise<T> =>
    runInDurableObject(stub, (object: RegionCache) => use(object.memory));
  return {
    name: 'region',
    get: (key) => inObject((tier) => tier.get(key)),
    set: (key, entry) => inObject((tier) => tier.set(key, entry)),
  };
}

const entryFor = (ms: number, label = 'a', count = 10): Entry => ({
  value: makeList(label, count),
  storedAtMs: clock.now(),
  loadMs: 0,
  freshUntilMs: clock.now() + ms,
  revalidateUntilMs: clock.now() + 2 * ms,
  staleUntilMs: clock.now() + 2 * ms,
});

describe('the isolate’s memory', () => {
  test('is bounded by bytes, keys and bookkeeping included, and evicts the least recently used entry', async () => {
    const tier = createMemoryTier({ name: 'isolate', maxBytes: 10_000 });
    const entry: Entry = { ...entryFor(1_000), value: { ...makeList('a'), bytes: new Uint8Array(1_000) } };
    for (let i = 0; i < 6; i++) await tier.set(keyOf(`key-${i}`), entry);
    await tier.get(keyOf('key-1'));
    await tier.set(keyOf('key-6'), entry);
    const held = await Promise.all(
      Array.from({ length: 7 }, async (_, i) => (await tier.get(keyOf(`key-${i}`))) !== undefined),
    );
    // Six of 1 000 + 5 + 640 bytes fit in 10 000.
    expect(held).toEqual([false, true, true, true, true, true, true]);
  });

  test('does not store an entry larger than itself', async () => {
    const tier = createMemoryTier({ name: 'isolate', maxBytes: 500 });
    await tier.set(KEY, entryFor(1_000));
    expect(await tier.get(KEY)).toBeUndefined();
  });

  test('bounds absence too', async () => {
    const tier = createMemoryTier({ name: 'isolate', maxBytes: 2_000 });
    for (let i = 0; i < 10; i++) await tier.set(keyOf(`key-${i}`), { ...entryFor(1_000), value: { kind: 'absent' } });
    expect(await tier.get(keyOf('key-0'))).toBeUndefined();
    expect(await tier.get(keyOf('key-9'))).toBeDefined();
  });
});

describe('the data centre’s cache', () => {
  const keyOrigin = 'https://colo.test';
  const tier = createColoTier({ clock, openCache, keyOrigin });
  const match = async (key: string): Promise<Response | undefined> =>
    (await openCache()).match(`${keyOrigin}/.earshot/lists/${encodeURIComponent(key)}`);

  test('holds an entry until it is expired, by max-age', async () => {
    await tier.set(keyOf('s/v/1/u'), entryFor(60_000));
    const headers = (await match('s/v/1/u'))?.headers;
    expect(headers?.get('cache-control')).toBe('max-age=120');
    expect(headers?.get('earshot-digest')).toBe('digest-a');
  });

  test('does not store an expired entry', async () => {
    await tier.set(keyOf('s/v/1/expired'), entryFor(-1));
    expect(await match('s/v/1/expired')).toBeUndefined();
  });

  test.each([
    ['of another key', { 'earshot-key': 's/v/1/bob' }],
    ['without its times', { 'earshot-stored-at': '' }],
    ['of an unknown kind', { 'earshot-kind': 'song' }],
    ['without a digest', { 'earshot-digest': null }],
  ])('does not give an entry %s', async (_, changes) => {
    const key = keyOf('s/v/1/ann');
    await tier.set(key, entryFor(60_000));
    const stored = await match(key);
    const headers = new Headers(stored?.headers);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') headers.delete(name);
      else headers.set(name, value);
    }
    await (await openCache()).put(
      `${keyOrigin}/.earshot/lists/${encodeURIComponent(key)}`,
      new Response(stored?.body, { headers }),
    );
    expect(await tier.get(key)).toBeUndefined();
  });
});

describe('memory', () => {
  test('does not let an older entry take the place of a newer one', async () => {
    const tier = createMemoryTier({ name: 'isolate', maxBytes: 10_000 });
    const newer = entryFor(1_000, 'newer');
    await tier.set(KEY, newer);
    await tier.set(KEY, { ...entryFor(1_000, 'older'), storedAtMs: newer.storedAtMs - 1 });
    expect(tier.peek(KEY)).toEqual(newer);
  });

  test('lets an older entry take the place of a newer one that jitter ends first', async () => {
    const tier = createMemoryTier({ name: 'isolate', maxBytes: 10_000 });
    const newer = entryFor(1_000, 'newer');
    const older = { ...entryFor(1_100, 'older'), storedAtMs: newer.storedAtMs - 1 };
    await tier.set(KEY, newer);
    await tier.set(KEY, older);
    expect(tier.peek(KEY)).toEqual(older);
  });
});

describe('the chain', () => {
  const counters = createCounters();
  let upper: MemoryTier;
  let lower: Tier;

  const callOf = (context: ExecutionContext): Call => ({
    deadlineAtMs: clock.now() + 5_000,
    regions: [],
    place: NOWHERE,
    failedRegions: new Set(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: (work) => context.waitUntil(work),
  });

  const chainOf = (others: readonly Tier[]) =>
    createTierChain({ nearest: upper, others, clock, counters, side: 'edge' });

  async function lookup(others: readonly Tier[], notBeforeMs = 0) {
    const context = createExecutionContext();
    const chain = chainOf(others);
    const near = chain.lookupNearest(KEY, { notBeforeMs });
    const result = near.state === 'fresh' ? near : await chain.lookupRest(KEY, { notBeforeMs }, callOf(context));
    await waitOnExecutionContext(context);
    return result;
  }

  const broken: Tier = {
    name: 'broken',
    get: () => Promise.reject(new Error('no')),
    set: () => Promise.reject(new Error('no')),
  };

  beforeEach(() => {
    upper = createMemoryTier({ name: 'isolate', maxBytes: 100_000 });
    lower = makeColo();
  });

  test('asks no tier below a hit', async () => {
    await upper.set(KEY, entryFor(1_000));
    expect(await lookup([broken])).toMatchObject({ state: 'fresh', tiers: [{ tier: 'isolate', outcome: 'hit' }] });
  });

  test('promotes a hit into every tier above it', async () => {
    const entry = entryFor(1_000);
    await lower.set(KEY, entry);
    expect(await lookup([lower])).toMatchObject({
      state: 'fresh',
      tiers: [
        { tier: 'isolate', outcome: 'miss' },
        { tier: 'colo', outcome: 'hit' },
      ],
    });
    expect(await upper.get(KEY)).toEqual(entry);
  });

  test('prefers a fresh entry below to a stale one above', async () => {
    await upper.set(KEY, { ...entryFor(1_000, 'stale'), freshUntilMs: clock.now() });
    await lower.set(KEY, entryFor(1_000, 'fresh'));
    expect(await lookup([lower])).toMatchObject({ state: 'fresh', entry: { value: { digest: 'digest-fresh' } } });
  });

  test('prefers a fresh entry below to a stale one above that is newer, and keeps it above from then on', async () => {
    const stale = { ...entryFor(1_000, 'stale'), freshUntilMs: clock.now() };
    const fresh = { ...entryFor(1_000, 'fresh'), storedAtMs: stale.storedAtMs - 1 };
    await upper.set(KEY, stale);
    await lower.set(KEY, fresh);
    expect(await lookup([lower])).toMatchObject({ state: 'fresh', entry: { value: { digest: 'digest-fresh' } } });
    expect(await upper.get(KEY)).toEqual(fresh);
  });

  test('prefers the newer of two stale entries', async () => {
    const stale = { ...entryFor(1_000, 'older'), freshUntilMs: clock.now() };
    await upper.set(KEY, stale);
    await lower.set(KEY, { ...stale, value: makeList('newer'), storedAtMs: stale.storedAtMs + 1 });
    expect(await lookup([lower])).toMatchObject({ state: 'stale', entry: { value: { digest: 'digest-newer' } } });
    await lower.set(KEY, { ...stale, storedAtMs: stale.storedAtMs - 1 });
    expect(await lookup([lower])).toMatchObject({ state: 'stale', entry: { value: { digest: 'digest-newer' } } });
  });

  test('says which entry is stale when none is fresh, and promotes it, so that one refresh is enough', async () => {
    const stale = { ...entryFor(1_000), freshUntilMs: clock.now() };
    await lower.set(KEY, stale);
    expect(await lookup([lower])).toMatchObject({ state: 'stale', tiers: [{}, { outcome: 'stale' }] });
    expect(await upper.get(KEY)).toEqual(stale);
  });

  test('does not hand out an expired entry, wherever it lies', async () => {
    const expired = { ...entryFor(1_000), freshUntilMs: clock.now() - 2, staleUntilMs: clock.now() };
    await upper.set(KEY, expired);
    const keeps: Tier = { ...lower, name: 'keeps', get: async () => expired };
    expect(await lookup([keeps])).toEqual({
      state: 'missing',
      tiers: [
        { tier: 'isolate', outcome: 'miss' },
        { tier: 'keeps', outcome: 'miss' },
      ],
    });
  });

  test('does not hand out an entry from before the moment that the reader names, wherever it lies', async () => {
    const entry = entryFor(1_000);
    await upper.set(KEY, entry);
    await lower.set(KEY, entry);
    expect(await lookup([lower], entry.storedAtMs)).toMatchObject({ state: 'fresh' });
    expect(await lookup([lower], entry.storedAtMs + 1)).toMatchObject({ state: 'missing' });
  });

  test('passes over a tier that throws, in reading and in storing, and counts it', async () => {
    await lower.set(KEY, entryFor(1_000));
    const before = counters.get('edge_tier_errors_total');
    expect(await lookup([broken, lower])).toMatchObject({
      state: 'fresh',
      tiers: [{ outcome: 'miss' }, { outcome: 'error' }, { outcome: 'hit' }],
    });
    // One error at the lookup, and one at the promotion of the lower tier's entry.
    expect(counters.get('edge_tier_errors_total') - before).toBe(2);
  });

  test('passes over a tier that does not answer, in a quarter of a second', async () => {
    const hangs: Tier = { ...lower, name: 'hangs', get: () => new Promise(() => {}) };
    await lower.set(KEY, entryFor(60_000));
    const before = counters.get('edge_tier_errors_total');
    const { value, tookMs } = await drive(clock, lookup([hangs, lower]), 10);
    expect(value).toMatchObject({ state: 'fresh', tiers: [{}, { outcome: 'error' }, { outcome: 'hit' }] });
    expect(tookMs).toBeLessThanOrEqual(260);
    expect(counters.get('edge_tier_errors_total') - before).toBe(1);
  });

  test('looks up the nearest tier again before the others', async () => {
    const context = createExecutionContext();
    const chain = chainOf([broken]);
    expect(chain.lookupNearest(KEY, { notBeforeMs: 0 })).toMatchObject({ state: 'missing' });
    await upper.set(KEY, entryFor(1_000));
    expect(await chain.lookupRest(KEY, { notBeforeMs: 0 }, callOf(context))).toMatchObject({
      state: 'fresh',
      tiers: [{ tier: 'isolate', outcome: 'hit' }],
    });
    await waitOnExecutionContext(context);
  });
});
