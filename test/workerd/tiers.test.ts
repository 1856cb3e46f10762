// The tiers: the contract on each of them, what is particular to one, and the chain above them.
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Call } from '../../edge/call.ts';
import { createTimings } from '../../edge/server-timing.ts';
import { createTierChain } from '../../edge/tiers/chain.ts';
import { createColoTier } from '../../edge/tiers/colo.ts';
import { createIsolateTier } from '../../edge/tiers/isolate.ts';
import type { Tier } from '../../edge/tiers/tier.ts';
import { createManualClock } from '../../shared/clock.ts';
import { createCounters } from '../../shared/counters.ts';
import type { Entry } from '../../shared/entry.ts';
import { makeList } from './support/lists.ts';
import { tierContract } from './tier-contract.ts';

let hosts = 0;
const clock = createManualClock();
const openCache = () => caches.open('tiers');
const makeColo = () => createColoTier({ clock, openCache, keyOrigin: `https://tier-${hosts++}.test` });

tierContract('isolate', () => ({ tier: createIsolateTier({ maxBytes: 1_000_000 }), nowMs: clock.now() }));
tierContract('colo', () => ({ tier: makeColo(), nowMs: clock.now() }));

const entryFor = (ms: number, label = 'a', count = 10): Entry => ({
  value: makeList(label, count),
  storedAtMs: clock.now(),
  freshUntilMs: clock.now() + ms,
  staleUntilMs: clock.now() + 2 * ms,
});

describe('the isolate’s memory', () => {
  test('is bounded by bytes, keys and bookkeeping included, and lets go of what was used least recently', async () => {
    const tier = createIsolateTier({ maxBytes: 10_000 });
    const entry: Entry = { ...entryFor(1_000), value: { ...makeList('a'), bytes: new Uint8Array(1_000) } };
    for (let i = 0; i < 6; i++) await tier.set(`key-${i}`, entry);
    await tier.get('key-1');
    await tier.set('key-6', entry);
    const held = await Promise.all(
      Array.from({ length: 7 }, async (_, i) => (await tier.get(`key-${i}`)) !== undefined),
    );
    // Six of 1 000 + 5 + 640 bytes fit in 10 000.
    expect(held).toEqual([false, true, true, true, true, true, true]);
  });

  test('does not take an entry larger than itself', async () => {
    const tier = createIsolateTier({ maxBytes: 500 });
    await tier.set('key', entryFor(1_000));
    expect(await tier.get('key')).toBeUndefined();
  });

  test('bounds absence too', async () => {
    const tier = createIsolateTier({ maxBytes: 2_000 });
    for (let i = 0; i < 10; i++) await tier.set(`key-${i}`, { ...entryFor(1_000), value: { kind: 'absent' } });
    expect(await tier.get('key-0')).toBeUndefined();
    expect(await tier.get('key-9')).toBeDefined();
  });
});

describe('the data centre’s cache', () => {
  const keyOrigin = 'https://colo.test';
  const tier = createColoTier({ clock, openCache, keyOrigin });
  const match = async (key: string): Promise<Response | undefined> =>
    (await openCache()).match(`${keyOrigin}/.earshot/lists/${encodeURIComponent(key)}`);

  test('holds an entry until it is expired, by max-age', async () => {
    await tier.set('s/v/1/u', entryFor(60_000));
    const headers = (await match('s/v/1/u'))?.headers;
    expect(headers?.get('cache-control')).toBe('max-age=120');
    expect(headers?.get('earshot-digest')).toBe('digest-a');
  });

  test('does not store what is expired already', async () => {
    await tier.set('s/v/1/expired', entryFor(-1));
    expect(await match('s/v/1/expired')).toBeUndefined();
  });

  test.each([
    ['of another key', { 'earshot-key': 's/v/1/bob' }],
    ['without its times', { 'earshot-stored-at': '' }],
    ['of an unknown kind', { 'earshot-kind': 'song' }],
    ['without a digest', { 'earshot-digest': null }],
  ])('does not give an entry %s', async (_, changes) => {
    const key = 's/v/1/ann';
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

describe('the chain', () => {
  const counters = createCounters();
  let upper: Tier;
  let lower: Tier;

  const callOf = (context: ExecutionContext): Call => ({
    deadlineAtMs: clock.now() + 5_000,
    regions: [],
    failedRegions: new Set(),
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: (work) => context.waitUntil(work),
  });

  async function lookup(tiers: readonly [Tier, ...Tier[]]) {
    const context = createExecutionContext();
    const chain = createTierChain({ tiers, clock, counters });
    const near = await chain.lookupNearest('key', callOf(context));
    const result = near.state === 'fresh' ? near : await chain.lookupRest('key', callOf(context));
    await waitOnExecutionContext(context);
    return result;
  }

  const broken: Tier = {
    name: 'broken',
    get: () => Promise.reject(new Error('no')),
    set: () => Promise.reject(new Error('no')),
    delete: () => Promise.reject(new Error('no')),
  };

  beforeEach(() => {
    upper = createIsolateTier({ maxBytes: 100_000 });
    lower = makeColo();
  });

  test('asks no tier below a hit', async () => {
    await upper.set('key', entryFor(1_000));
    expect(await lookup([upper, broken])).toMatchObject({
      state: 'fresh',
      asked: [{ tier: 'isolate', outcome: 'hit' }],
    });
  });

  test('promotes a hit into every tier above it', async () => {
    const entry = entryFor(1_000);
    await lower.set('key', entry);
    expect(await lookup([upper, lower])).toMatchObject({
      state: 'fresh',
      asked: [
        { tier: 'isolate', outcome: 'miss' },
        { tier: 'colo', outcome: 'hit' },
      ],
    });
    expect(await upper.get('key')).toEqual(entry);
  });

  test('prefers a fresh entry below to a stale one above', async () => {
    await upper.set('key', { ...entryFor(1_000, 'stale'), freshUntilMs: clock.now() });
    await lower.set('key', entryFor(1_000, 'fresh'));
    expect(await lookup([upper, lower])).toMatchObject({
      state: 'fresh',
      entry: { value: { digest: 'digest-fresh' } },
    });
  });

  test('says which entry is stale when none is fresh, and does not promote it', async () => {
    await lower.set('key', { ...entryFor(1_000), freshUntilMs: clock.now() });
    expect(await lookup([upper, lower])).toMatchObject({ state: 'stale', asked: [{}, { outcome: 'stale' }] });
    expect(await upper.get('key')).toBeUndefined();
  });

  test('does not hand out an expired entry, wherever it lies', async () => {
    const expired = { ...entryFor(1_000), freshUntilMs: clock.now() - 2, staleUntilMs: clock.now() };
    await upper.set('key', expired);
    expect(await lookup([upper])).toEqual({ state: 'missing', asked: [{ tier: 'isolate', outcome: 'miss' }] });
  });

  test('passes over a tier that throws, in reading and in storing, and counts it', async () => {
    await lower.set('key', entryFor(1_000));
    const before = counters.get('edge_tier_errors_total');
    expect(await lookup([broken, lower])).toMatchObject({
      state: 'fresh',
      asked: [{ outcome: 'error' }, { outcome: 'hit' }],
    });
    // Asked first, asked again with the others, and given what they had.
    expect(counters.get('edge_tier_errors_total') - before).toBe(3);
  });

  test('looks into the nearest tier again before it asks the others', async () => {
    const context = createExecutionContext();
    const chain = createTierChain({ tiers: [upper, broken], clock, counters });
    expect(await chain.lookupNearest('key', callOf(context))).toMatchObject({ state: 'missing' });
    await upper.set('key', entryFor(1_000));
    expect(await chain.lookupRest('key', callOf(context))).toMatchObject({
      state: 'fresh',
      asked: [{ tier: 'isolate', outcome: 'hit' }],
    });
    await waitOnExecutionContext(context);
  });
});
