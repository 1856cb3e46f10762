// Loads lists from the tiers beyond the nearest one, then from the source, and stores them in all tiers. A load that an
// erasure, a flip or a later load has overtaken is not stored. As a race: (1) a load starts; (2) its user is erased, or
// moves to another generation; (3) the load ends with data from (1). The callers that asked before (2) get it, and no
// other caller does.
import { combineCancellations } from '../../shared/caching/cancellation.ts';
import type { Entry } from '../../shared/caching/entry.ts';
import type { Lead } from '../../shared/caching/singleflight.ts';
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterSide, Counters } from '../../shared/runtime/counters.ts';
import type { Call } from '../request/call.ts';
import type { Lookup, TierChain } from '../tiers/chain.ts';
import type { KeyBackoff } from './key-backoff.ts';
import { type ListRead, readAfterFailure, readFromLookup } from './list-read.ts';
import type { ListRequest, ListSource, LoadResult } from './list-source.ts';

export interface Load {
  readonly request: ListRequest;
  /** A refresh replaces an entry that is being served, so a stale entry is no result for it. */
  readonly isRefresh: boolean;
  readonly lead: Lead;
}

export interface LoadThroughOptions {
  readonly tiers: TierChain;
  readonly source: ListSource;
  readonly backoff: KeyBackoff;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly side: CounterSide;
  /** Whether the manifest has overtaken a load of `key` that started at `startedAtMs`. */
  readonly isFenced: (key: ListKey, startedAtMs: number) => boolean;
}

/** One read per load, in order. The result is plain data, so other requests may wait for it. */
export type LoadThrough = (loads: readonly Load[], call: Call) => Promise<ListRead[]>;

export function createLoadThrough(options: LoadThroughOptions): LoadThrough {
  const { tiers, source, backoff, clock, counters, side, isFenced } = options;

  function readCached({ request: { key }, isRefresh }: Load, lookup: Lookup): ListRead | undefined {
    if (isRefresh && lookup.state === 'stale') return undefined;
    const read = readFromLookup(key, lookup, clock.now());
    if (read !== undefined && lookup.state === 'stale') counters.add(`${side}_revalidated_total`);
    return read;
  }

  function applyFailure(
    { request: { key }, isRefresh }: Load,
    lookup: Lookup,
    { kind: _, regions, stale, ...failure }: Extract<LoadResult, { kind: 'failed' }>,
  ): ListRead {
    // No region was asked for lack of time, or the wait ended: the next request may have more time.
    if (regions.length > 0 && failure.reason !== 'wait-ended') backoff.recordFailure(makeCacheKey(key), failure);
    const newest = isRefresh ? lookup : withStale(lookup, stale);
    const read = readAfterFailure(key, newest, failure, clock.now(), regions);
    if (read.kind === 'entry') counters.add(`${side}_stale_if_error_total`);
    return read;
  }

  function applyResult(load: Load, lookup: Lookup, result: LoadResult, startedAtMs: number, call: Call): ListRead {
    if (result.kind === 'failed') return applyFailure(load, lookup, result);
    const { key } = load.request;
    const cacheKey = makeCacheKey(key);
    backoff.recordSuccess(cacheKey);
    const entry = { ...result.entry, loadMs: Math.max(0, clock.now() - startedAtMs) };
    const stored = load.lead.isCurrent() && !isFenced(key, entry.storedAtMs);
    if (stored) tiers.store(cacheKey, entry, call);
    else counters.add(`${side}_fenced_total`);
    const trail = { key, tiers: lookup.tiers, regions: result.regions, entry, stored };
    return { kind: 'entry', entry, isFromCache: result.isFromCache, trail };
  }

  return async (loads, call) => {
    const startedAtMs = clock.now();
    const lookups = await Promise.all(
      loads.map(({ request }) => tiers.lookupRest(makeCacheKey(request.key), request, call)),
    );
    const found = loads.map((load, i) => {
      const lookup = lookups[i] as Lookup;
      return { load, lookup, read: readCached(load, lookup) };
    });
    const missing = found.filter(({ read }) => read === undefined).map(({ load }) => load.request);
    const leads = loads.map(({ lead }) => lead);
    const shared: Call = {
      ...call,
      waitedForUntilMs: () => Math.max(...leads.map((lead) => lead.waitedForUntilMs())),
      cancellation: combineCancellations(leads),
    };
    const results = (missing.length === 0 ? [] : await source.load(missing, shared)).values();
    return found.map(({ load, lookup, read }) => {
      if (read !== undefined) return read;
      const { value: result } = results.next();
      if (result === undefined) throw new Error('expected the source to return one result per request');
      return applyResult(load, lookup, result, startedAtMs, call);
    });
  };
}

/** `lookup`, or the source's stale entry if that is newer. */
function withStale(lookup: Lookup, stale: Entry | undefined): Lookup {
  if (stale === undefined || (lookup.state !== 'missing' && lookup.entry.storedAtMs >= stale.storedAtMs)) return lookup;
  return { state: 'stale', entry: stale, tiers: lookup.tiers };
}
