// Lists through caches: from the nearest tier that holds one, else from the source behind the tiers, and then into the tiers. Of one key, one
// load is under way, be it for those who wait or to refresh what is served meanwhile. Absence is an answer too, and cached. The worker
// reads like this before the regions, and a region's object before its origin.
//
//   fresh                        served; now and then, by chance, refreshed before its time (XFetch)
//   stale, for a while           served while one refresh runs (stale-while-revalidate)
//   stale, for longer            waited for; served when it cannot be had anew (stale-if-error)
//   expired, absent from tiers   waited for
//
// What is overtaken is not stored. As a race: (1) a load begins; (2) its user is erased, or moved to another generation; (3) the load ends
// with what was true at (1). Those who asked before (2) get it, and nobody else.

import { CallerGone, presenceOfAll } from '../../shared/caching/cancellation.ts';
import { type Entry, stateOf, withinRevalidation } from '../../shared/caching/entry.ts';
import { shouldRefreshEarly } from '../../shared/caching/lifetime.ts';
import { createLoadGroup, type LoadGroup } from '../../shared/caching/load-group.ts';
import { createSingleflight, FollowerTimeout, type Lead } from '../../shared/caching/singleflight.ts';
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterSide, Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { type Call, detach, remainingMs } from '../request/call.ts';
import type { CacheTrail } from '../respond/cache-status.ts';
import type { Asked, ListEntry, Lookup, TierChain } from '../tiers/chain.ts';
import type { ListRequest, Loaded, LoadFailure } from '../upstream/region-reader.ts';
import { createRefusals } from './key-backoff.ts';

export type ListRead =
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
      /** Whether it had been stored before it was asked for. */
      readonly isFromCache: boolean;
      /** There when the entry is served because it could not be had anew. */
      readonly failure?: LoadFailure;
      readonly trail: CacheTrail;
    }
  | { readonly kind: 'unreachable'; readonly failure: LoadFailure; readonly trail: CacheTrail };

/** Where lists come from when no tier has them. */
export interface ListSource {
  /** One outcome per request, in their order. Never rejects. */
  load(requests: readonly ListRequest[], call: Call): Promise<Loaded[]>;
}

export interface HeldList {
  readonly entry: ListEntry;
  readonly trail: CacheTrail;
}

export interface ListReader {
  /** The list that the nearest tier holds fresh, at once; `open` is called only when a refresh is due. */
  readHeld(request: ListRequest, open: () => Call): HeldList | undefined;
  /** One read per request, in their order. What no tier has leaves for the source in one call, except what others are loading already. */
  read(requests: readonly ListRequest[], call: Call): Promise<ListRead[]>;
}

interface ListReaderOptions {
  readonly tiers: TierChain;
  readonly source: ListSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly side: CounterSide;
  /** Whether what was loaded for `key` from `startedAtMs` on is overtaken by now. */
  readonly isFenced: (key: ListKey, startedAtMs: number) => boolean;
  /** From when on a load is not waited for any more: the most that a request may take. */
  readonly flightAgeMs: number;
}

/** Of what is left of its time a follower waits this much, so that something is left for what stands in. */
const FOLLOWER_SHARE = 0.8;

interface Load {
  readonly request: ListRequest;
  /** For one who is served already, and content with nothing that is stale. */
  readonly isRefresh: boolean;
  /** Of all who wait for it. */
  readonly lead: Lead;
}

export function createListReader(options: ListReaderOptions): ListReader {
  const { tiers, source, clock, random, counters, side, isFenced, flightAgeMs } = options;
  const refusals = createRefusals(clock);
  const flights = createSingleflight<ListRead>({
    clock,
    ageTimeoutMs: flightAgeMs,
    // A region that failed for one request may not fail for the next, which has a deadline of its own.
    isFailure: ({ kind }) => kind === 'unreachable',
  });

  async function readOne(request: ListRequest, call: Call, group: LoadGroup<Load, ListRead>): Promise<ListRead> {
    const { isBackground = false } = request;
    if (request.isHeldOnly === true) return readHeldOnly(request, call);
    const cacheKey = makeCacheKey(request.key);
    const near = tiers.lookupNearest(cacheKey, request.notBeforeMs);
    const held = serveHeld(request, near, false);
    if (held !== undefined) {
      refreshWhenDue(request, held.entry, call);
      return held;
    }
    const failure = near.state === 'stale' ? refusals.whyNotAsk(cacheKey, isBackground) : undefined;
    if (failure !== undefined) return serveIfError(request, near, failure);
    try {
      const { value, isCollapsed } = await flights.run(cacheKey, {
        load: (lead) => group.add({ request, isRefresh: false, lead }),
        presence: call.presence,
        waitTimeoutMs: remainingMs(call, clock) * FOLLOWER_SHARE,
        notBeforeMs: request.notBeforeMs,
        // Who leads may not know of an erasure yet, and be content with what a cache held before it. Nor is what was shed for one who did not
        // wait the answer to one who does.
        accepts: (read) =>
          (read.kind !== 'entry' || read.entry.storedAtMs >= request.notBeforeMs) &&
          (isBackground || read.failure?.isShed !== true),
        keepAlive: (work) => call.waitUntil(work),
      });
      if (isCollapsed) return collapse(value, near.asked);
      if (value.kind === 'entry' && value.failure === undefined) refreshWhenDue(request, value.entry, call);
      return value;
    } catch (error) {
      if (!(error instanceof FollowerTimeout || error instanceof CallerGone)) throw error;
      return serveIfError(request, { ...near, asked: collapsed(near.asked) }, { isRegionAtFault: false });
    }
  }

  async function readHeldOnly(request: ListRequest, call: Call): Promise<ListRead> {
    const cacheKey = makeCacheKey(request.key);
    const near = tiers.lookupNearest(cacheKey, request.notBeforeMs);
    const lookup = near.state === 'fresh' ? near : await tiers.lookupRest(cacheKey, request.notBeforeMs, call);
    return serveHeld(request, lookup, false) ?? serveIfError(request, lookup, { isRegionAtFault: true });
  }

  /** What a lookup found, if it may be served without asking further. */
  function serveHeld(
    { key }: ListRequest,
    lookup: Lookup,
    isRefresh: boolean,
  ): Extract<ListRead, { kind: 'entry' }> | undefined {
    if (lookup.state === 'missing') return undefined;
    const { state, entry, asked } = lookup;
    const trail = { key, regions: [], entry, stored: true };
    if (state === 'fresh') return { kind: 'entry', entry, isFromCache: true, trail: { ...trail, tiers: asked } };
    if (isRefresh || !withinRevalidation(entry, clock.now())) return undefined;
    counters.add(`${side}_revalidated_total`);
    const tiersAsked = serveStale(asked, 'stale-while-revalidate');
    return { kind: 'entry', entry, isFromCache: true, trail: { ...trail, tiers: tiersAsked } };
  }

  /** What a lookup found, if it may be served when nothing better can be had. */
  function serveIfError(
    { key }: ListRequest,
    lookup: Lookup,
    failure: LoadFailure,
    regions: CacheTrail['regions'] = [],
  ): ListRead {
    const trail = { key, tiers: lookup.asked, regions, stored: false };
    // Asking took time: what was stale then may have expired by now.
    if (lookup.state === 'missing' || stateOf(lookup.entry, clock.now()) === 'expired')
      return { kind: 'unreachable', failure, trail };
    counters.add(`${side}_stale_if_error_total`);
    const { entry, asked } = lookup;
    const served = { ...trail, tiers: serveStale(asked, 'stale-if-error'), entry };
    return { kind: 'entry', entry, isFromCache: true, failure, trail: served };
  }

  /** Begins to load anew what is served meanwhile: when it is stale, or by chance before, and unless somebody does so already. */
  function refreshWhenDue(request: ListRequest, entry: Entry, call: Call): void {
    const nowMs = clock.now();
    if (stateOf(entry, nowMs) === 'fresh' && !shouldRefreshEarly(entry, nowMs, random)) return;
    refresh(request, entry, call);
  }

  function refresh(request: ListRequest, entry: Entry, call: Call): void {
    const cacheKey = makeCacheKey(request.key);
    if (flights.has(cacheKey, request.notBeforeMs) || refusals.whyNotAsk(cacheKey, true) !== undefined) return;
    counters.add(`${side}_refreshes_total`);
    const notBeforeMs = Math.max(request.notBeforeMs, entry.storedAtMs + 1);
    const newer: ListRequest = { ...request, notBeforeMs, isBackground: true };
    const refreshed = flights.run(cacheKey, {
      load: (lead) => loadAlone({ request: newer, isRefresh: true, lead }, detach(call, clock)),
      waitTimeoutMs: remainingMs(call, clock),
      notBeforeMs: request.notBeforeMs,
      keepAlive: (work) => call.waitUntil(work),
    });
    call.waitUntil(
      refreshed.then(
        ({ value }) => {
          if (value.kind === 'unreachable' || value.failure !== undefined)
            counters.add(`${side}_refresh_failures_total`);
        },
        () => counters.add(`${side}_refresh_failures_total`),
      ),
    );
  }

  /** From the tiers beyond the nearest, else from the source. Others may wait for it: what it gives is plain data. */
  async function loadAll(loads: readonly Load[], call: Call): Promise<ListRead[]> {
    const startedAtMs = clock.now();
    const lookups = await Promise.all(
      loads.map(({ request }) => tiers.lookupRest(makeCacheKey(request.key), request.notBeforeMs, call)),
    );
    const found = loads.map((load, i) => {
      const lookup = lookups[i] as Lookup;
      return { load, lookup, read: serveHeld(load.request, lookup, load.isRefresh) };
    });
    const missing = found.filter(({ read }) => read === undefined).map(({ load }) => load.request);
    const presence = presenceOfAll(loads.map(({ lead }) => lead));
    const loaded = missing.length === 0 ? [] : await source.load(missing, { ...call, presence });
    let next = 0;
    return found.map(({ load, lookup, read }) => read ?? take(load, lookup, loaded[next++], startedAtMs, call));
  }

  async function loadAlone(load: Load, call: Call): Promise<ListRead> {
    const [read] = await loadAll([load], call);
    return read as ListRead;
  }

  /** What the source gave, as what is served, and into the tiers. */
  function take(
    { request, isRefresh, lead }: Load,
    lookup: Lookup,
    loaded: Loaded | undefined,
    startedAtMs: number,
    call: Call,
  ): ListRead {
    if (loaded === undefined) throw new Error('expected an outcome for every request; the source must give one');
    const cacheKey = makeCacheKey(request.key);
    if (loaded.kind === 'failed') {
      const { kind: _, asked, stale, ...failure } = loaded;
      // With no time left nobody was asked, and the next one may have more.
      if (asked.length > 0) refusals.note(cacheKey, failure);
      return serveIfError(request, isRefresh ? lookup : withStale(lookup, stale), failure, asked);
    }
    refusals.forget(cacheKey);
    const entry = { ...loaded.entry, loadMs: Math.max(0, clock.now() - startedAtMs) };
    const stored = lead.isCurrent() && !isFenced(request.key, entry.storedAtMs);
    if (stored) tiers.store(cacheKey, entry, call);
    else counters.add(`${side}_fenced_total`);
    const trail = { key: request.key, tiers: lookup.asked, regions: loaded.asked, entry, stored };
    return { kind: 'entry', entry, isFromCache: loaded.isFromCache, trail };
  }

  /** The leader's answer as a follower's: it asked the nearest tier only, and waited there. */
  function collapse(value: ListRead, asked: readonly Asked[]): ListRead {
    counters.add(`${side}_collapsed_total`);
    const { key, stored } = value.trail;
    return { ...value, trail: { key, tiers: collapsed(asked), regions: [], stored } };
  }

  return {
    readHeld: (request, open) => {
      const entry = tiers.takeFreshList(makeCacheKey(request.key), request.notBeforeMs);
      if (entry === undefined) return undefined;
      if (shouldRefreshEarly(entry, clock.now(), random)) refresh(request, entry, open());
      return {
        entry,
        trail: {
          key: request.key,
          tiers: [{ tier: tiers.nearestName, outcome: 'hit' }],
          regions: [],
          entry,
          stored: true,
        },
      };
    },
    read: (requests, call) => {
      const group = createLoadGroup((loads: readonly Load[]) => loadAll(loads, call));
      const reads = requests.map((request) => readOne(request, call, group));
      group.start();
      return Promise.all(reads);
    },
  };
}

const collapsed = (asked: readonly Asked[]): Asked[] => asked.map((each) => ({ ...each, isCollapsed: true }));

/** The first tier that held the list stale is the one that serves it. */
function serveStale(asked: readonly Asked[], outcome: Asked['outcome']): Asked[] {
  const server = asked.findIndex((each) => each.outcome === 'stale');
  return asked.map((each, i) => (i === server ? { ...each, outcome } : each));
}

/** `lookup`, or what the source still holds if that is newer. */
function withStale(lookup: Lookup, stale: Entry | undefined): Lookup {
  if (stale === undefined || (lookup.state !== 'missing' && lookup.entry.storedAtMs >= stale.storedAtMs)) return lookup;
  return { state: 'stale', entry: stale, asked: lookup.asked };
}
