// One list: from the nearest tier that holds it fresh, else from the regions, and then into the tiers, else, within its window, the stale one
// (stale-if-error, RFC 5861, section 4). Absence is an answer too, and cached.
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import { type Entry, type ListValue, type StoredList, stateOf } from '../shared/entry.ts';
import { type ListKey, makeCacheKey } from '../shared/keys.ts';
import type { CacheTrail } from './cache-status.ts';
import type { Call } from './call.ts';
import type { Asked, TierChain } from './tiers/chain.ts';
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
/** How much longer than fresh a list is kept, for the time when it cannot be had anew. */
const STALE_WINDOW_MS = 86_400_000;

interface ListReaderOptions {
  readonly tiers: TierChain;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly counters: Counters;
}

export function createListReader({ tiers, upstream, clock, counters }: ListReaderOptions): ListReader {
  return {
    read: async (key, ttlSeconds, call) => {
      const cacheKey = makeCacheKey(key);
      const lookup = await tiers.lookup(cacheKey, call);
      if (lookup.state === 'fresh') {
        const { entry, asked } = lookup;
        return toRead(entry.value, { key, tiers: asked, regions: [], entry, stored: true }, entry.storedAtMs);
      }
      const [read] = await upstream.readLists([key], call);
      const value = read?.value;
      const trail = { key, tiers: lookup.asked, regions: read?.asked ?? [], stored: value !== undefined };
      if (value === undefined) {
        // Asking took time: what was stale then may have expired by now.
        if (lookup.state !== 'stale' || stateOf(lookup.entry, clock.now()) === 'expired') {
          return { kind: 'unreachable', trail };
        }
        const { entry, asked } = lookup;
        counters.add('edge_stale_if_error_total');
        return toRead(entry.value, { ...trail, tiers: serveStale(asked), entry }, entry.storedAtMs);
      }
      tiers.store(cacheKey, makeEntry(value, ttlSeconds, clock.now()), call);
      return toRead(value, trail);
    },
  };
}

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
