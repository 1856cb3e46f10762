// One list: from the nearest tier that holds it fresh, else from the regions, and then into the tiers, else, within its window, the stale one
// (stale-if-error, RFC 5861, section 4). Absence is an answer too, and cached. Of one key, one load is under way per isolate.
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import { type Entry, type ListValue, type StoredList, stateOf } from '../shared/entry.ts';
import { type ListKey, makeCacheKey } from '../shared/keys.ts';
import { createSingleflight, FollowerTimeout } from '../shared/singleflight.ts';
import type { CacheTrail } from './cache-status.ts';
import { type Call, remainingMs } from './call.ts';
import type { Asked, Lookup, TierChain } from './tiers/chain.ts';
import type { Upstream } from './upstream/read-lists.ts';

export type ListRead =
  /** `storedAtMs` is there when the list came from a cache. */
  | { readonly kind: 'list'; readonly list: StoredList; readonly storedAtMs?: number; readonly trail: CacheTrail }
  | { readonly kind: 'absent'; readonly trail: CacheTrail }
  | { readonly kind: 'unreachable'; readonly trail: CacheTrail };

export interface ListReader {
  /** `ttlSeconds`: how long the list is fresh, from its surface in the manifest. */
  read(key: ListKey, ttlSeconds: number, call: Call): Promise<ListRead>;
}

/** A user who has no list yet gets one with the next load: "none" is not believed for long. */
const ABSENT_TTL_MS = 30_000;
/** Of what is left of its time a follower waits this much, so that something is left for what stands in. */
const FOLLOWER_SHARE = 0.8;
/** How much longer than fresh a list is kept, for the time when it cannot be had anew. */
const STALE_WINDOW_MS = 86_400_000;

interface ListReaderOptions {
  readonly tiers: TierChain;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly counters: Counters;
  /** From when on a load is not waited for any more: the most that a request may take. */
  readonly flightAgeMs: number;
}

export function createListReader({ tiers, upstream, clock, counters, flightAgeMs }: ListReaderOptions): ListReader {
  const flights = createSingleflight<ListRead>({
    clock,
    ageTimeoutMs: flightAgeMs,
    // A region that failed for one request may not fail for the next, which has a deadline of its own.
    isFailure: ({ kind }) => kind === 'unreachable',
  });

  /** From the tiers beyond the nearest, else from the regions. Others may wait for it: what it gives is plain data. */
  async function load(key: ListKey, ttlSeconds: number, call: Call): Promise<ListRead> {
    const cacheKey = makeCacheKey(key);
    const lookup = await tiers.lookupRest(cacheKey, call);
    if (lookup.state === 'fresh') return readFresh(key, lookup.entry, lookup.asked);
    const [read] = await upstream.readLists([key], call);
    const value = read?.value;
    const trail = { key, tiers: lookup.asked, regions: read?.asked ?? [], stored: value !== undefined };
    if (value === undefined) return readStale(lookup, trail);
    tiers.store(cacheKey, makeEntry(value, ttlSeconds, clock.now()), call);
    return toRead(value, trail);
  }

  function readStale(lookup: Lookup, trail: CacheTrail): ListRead {
    // Asking took time: what was stale then may have expired by now.
    if (lookup.state !== 'stale' || stateOf(lookup.entry, clock.now()) === 'expired')
      return { kind: 'unreachable', trail };
    const { entry, asked } = lookup;
    counters.add('edge_stale_if_error_total');
    return toRead(entry.value, { ...trail, tiers: serveStale(asked), entry }, entry.storedAtMs);
  }

  return {
    read: async (key, ttlSeconds, call) => {
      const near = await tiers.lookupNearest(makeCacheKey(key), call);
      if (near.state === 'fresh') return readFresh(key, near.entry, near.asked);
      try {
        const { value, isCollapsed } = await flights.run(makeCacheKey(key), {
          load: () => load(key, ttlSeconds, call),
          waitTimeoutMs: remainingMs(call, clock) * FOLLOWER_SHARE,
          keepAlive: (work) => call.waitUntil(work),
        });
        return isCollapsed ? collapse(value, near.asked) : value;
      } catch (error) {
        if (!(error instanceof FollowerTimeout)) throw error;
        return readStale(near, { key, tiers: collapsed(near.asked), regions: [], stored: false });
      }
    },
  };

  /** The leader's answer as a follower's: it asked the nearest tier only, and waited there. */
  function collapse(value: ListRead, asked: readonly Asked[]): ListRead {
    counters.add('edge_collapsed_total');
    const { key, stored } = value.trail;
    return { ...value, trail: { key, tiers: collapsed(asked), regions: [], stored } };
  }
}

const collapsed = (asked: readonly Asked[]): Asked[] => asked.map((each) => ({ ...each, isCollapsed: true }));

const readFresh = (key: ListKey, entry: Entry, asked: readonly Asked[]): ListRead =>
  toRead(entry.value, { key, tiers: asked, regions: [], entry, stored: true }, entry.storedAtMs);

/** The first tier that held the list stale is the one that serves it. */
function serveStale(asked: readonly Asked[]): Asked[] {
  const server = asked.findIndex(({ outcome }) => outcome === 'stale');
  return asked.map((each, i) => (i === server ? { ...each, outcome: 'stale-if-error' } : each));
}

const toRead = (value: ListValue, trail: CacheTrail, storedAtMs?: number): ListRead =>
  value.kind === 'absent'
    ? { kind: 'absent', trail }
    : { kind: 'list', list: value, trail, ...(storedAtMs === undefined ? {} : { storedAtMs }) };

function makeEntry(value: ListValue, ttlSeconds: number, nowMs: number): Entry {
  const freshUntilMs = nowMs + (value.kind === 'absent' ? ABSENT_TTL_MS : ttlSeconds * 1000);
  return {
    value,
    storedAtMs: nowMs,
    freshUntilMs,
    staleUntilMs: value.kind === 'absent' ? freshUntilMs : freshUntilMs + STALE_WINDOW_MS,
  };
}
