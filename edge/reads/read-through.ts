// Read-through caching of lists: the nearest tier, then one coalesced load per key, with refreshes behind the answer
// (list-read.ts has the states). Absence is cached, too. The worker reads the regions through it, and a region object
// its origin.
import { CallerCancelled } from '../../shared/caching/cancellation.ts';
import { type Entry, stateOf } from '../../shared/caching/entry.ts';
import { shouldRefreshEarly } from '../../shared/caching/lifetime.ts';
import { createLoadGroup, type LoadGroup } from '../../shared/caching/load-group.ts';
import { createSingleflight, type Lead, type Singleflight, WaitOver } from '../../shared/caching/singleflight.ts';
import { type CacheKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { type Call, detach, remainingMs } from '../request/call.ts';
import type { ListEntry, Lookup } from '../tiers/chain.ts';
import { createKeyBackoff, type KeyBackoff } from './key-backoff.ts';
import { collapseRead, type ListRead, markCollapsed, readAfterFailure, readFromLookup } from './list-read.ts';
import type { ListRequest, LoadFailureReason } from './list-source.ts';
import { createLoadThrough, type Load, type LoadThrough, type LoadThroughOptions } from './load-through.ts';
import type { CacheTrail } from './trail.ts';

export interface CachedList {
  readonly entry: ListEntry;
  readonly trail: CacheTrail;
}

export interface ListReader {
  /** The nearest tier's list if it is fresh, without I/O. `open` is called only when a refresh is due. */
  getCached(request: ListRequest, open: () => Call): CachedList | undefined;
  /**
   * One read per request, in order. Keys that no tier has, and no other load covers, leave for the source in one call.
   */
  read(requests: readonly ListRequest[], call: Call): Promise<ListRead[]>;
}

export interface ReadThroughOptions extends Omit<LoadThroughOptions, 'backoff'> {
  readonly random: Random;
  /**
   * Maximum duration of a load in milliseconds, and the age beyond which it is not joined. A load ends earlier when no
   * caller waits for it.
   */
  readonly loadTimeoutMs: number;
  /**
   * `requests`: a request chooses its deadline, which must not bind a load that others join. `workers`: the worker
   * chooses the deadline of its call, which bounds the load.
   */
  readonly callers: 'requests' | 'workers';
}

/** Shared by the reads of one call. */
interface ReadContext {
  readonly call: Call;
  readonly group: LoadGroup<Load, ListRead>;
  /** Whether no region is expected to answer within the call's deadline. */
  readonly isHopeless: () => boolean;
}

/** Share of the remaining time that a follower waits. The rest is for the fallback chain, which workers do not use. */
const FOLLOWER_SHARE = { requests: 0.8, workers: 1 };

export function createReadThrough(options: ReadThroughOptions): ListReader {
  const { tiers, source, clock, counters, side, random, loadTimeoutMs, callers } = options;
  const backoff = createKeyBackoff(clock);
  const loadThrough = createLoadThrough({ ...options, backoff });
  const flights = createSingleflight<ListRead, CacheKey>({
    clock,
    ageTimeoutMs: loadTimeoutMs,
    // A region that failed for one request may answer the next one, which has its own deadline.
    isFailure: ({ kind }) => kind === 'unreachable',
  });
  const refresh = createRefresher(options, flights, backoff, loadThrough);

  /** `call` for loads that other requests may join. Regions that fail stay known to the request. */
  const openLoad = (call: Call): Call =>
    callers === 'workers' ? call : { ...call, deadlineAtMs: Math.max(call.deadlineAtMs, clock.now() + loadTimeoutMs) };

  /** Starts a refresh of a served entry that is stale or, by XFetch, soon will be. */
  function refreshWhenDue(request: ListRequest, entry: Entry, call: Call): void {
    const nowMs = clock.now();
    if (stateOf(entry, nowMs, request.ttlSeconds) === 'fresh' && !shouldRefreshEarly(entry, nowMs, random)) return;
    refresh(request, entry, call);
  }

  function readCached({ key }: ListRequest, lookup: Lookup): ListRead | undefined {
    const read = readFromLookup(key, lookup, clock.now());
    if (read !== undefined && lookup.state === 'stale') counters.add(`${side}_revalidated_total`);
    return read;
  }

  function readStale({ key }: ListRequest, lookup: Lookup, failure: Parameters<typeof readAfterFailure>[2]): ListRead {
    const read = readAfterFailure(key, lookup, failure, clock.now());
    if (read.kind === 'entry') counters.add(`${side}_stale_if_error_total`);
    return read;
  }

  async function readOnlyIfCached(request: ListRequest, call: Call, reason: LoadFailureReason): Promise<ListRead> {
    const cacheKey = makeCacheKey(request.key);
    const near = tiers.lookupNearest(cacheKey, request);
    const lookup = near.state === 'fresh' ? near : await tiers.lookupRest(cacheKey, request, call);
    return readCached(request, lookup) ?? readStale(request, lookup, { reason });
  }

  /** Leads a load of the key, or follows the one in flight. A caller whose wait is over gets the stale list, if any. */
  async function readCoalesced(
    request: ListRequest,
    near: Lookup,
    call: Call,
    group: LoadGroup<Load, ListRead>,
  ): Promise<ListRead> {
    let isLeading = false;
    const load = (lead: Lead): Promise<ListRead> => {
      isLeading = true;
      return group.add({ request, isRefresh: false, lead });
    };
    try {
      return await runFlight(request, near, call, load);
    } catch (error) {
      if (!(error instanceof WaitOver || error instanceof CallerCancelled)) throw error;
      const asked = isLeading ? near : { ...near, tiers: markCollapsed(near.tiers) };
      return readStale(request, asked, { reason: 'wait-ended' });
    }
  }

  async function runFlight(
    request: ListRequest,
    near: Lookup,
    call: Call,
    load: (lead: Lead) => Promise<ListRead>,
  ): Promise<ListRead> {
    const { isBackground = false, notBeforeMs } = request;
    const { value, isCollapsed } = await flights.run(makeCacheKey(request.key), {
      load,
      cancellation: call.cancellation,
      waitTimeoutMs: remainingMs(call, clock) * FOLLOWER_SHARE[callers],
      ...(callers === 'requests' ? { leadTimeoutMs: remainingMs(call, clock) } : {}),
      notBeforeMs,
      // A leader that does not know of an erasure yet may return an older entry. A shed background load is no result
      // for a foreground read.
      accepts: (read) =>
        (read.kind !== 'entry' || read.entry.storedAtMs >= notBeforeMs) &&
        (isBackground || read.failure?.reason !== 'background-shed'),
      keepAlive: (work) => call.waitUntil(work),
    });
    if (isCollapsed) {
      counters.add(`${side}_collapsed_total`);
      return collapseRead(value, near.tiers);
    }
    if (value.kind === 'entry' && value.failure === undefined) refreshWhenDue(request, value.entry, call);
    return value;
  }

  async function readOne(request: ListRequest, { call, group, isHopeless }: ReadContext): Promise<ListRead> {
    if (request.onlyIfCached === true) return readOnlyIfCached(request, call, 'region-unavailable');
    const cacheKey = makeCacheKey(request.key);
    const near = tiers.lookupNearest(cacheKey, request);
    const cached = readCached(request, near);
    if (cached?.kind === 'entry') {
      refreshWhenDue(request, cached.entry, call);
      return cached;
    }
    const failure =
      near.state === 'stale' ? backoff.rejectionReason(cacheKey, request.isBackground === true) : undefined;
    if (failure !== undefined) return readStale(request, near, failure);
    // A caller with too little time starts no load that others could join.
    if (isHopeless() && !flights.has(cacheKey, request.notBeforeMs))
      return readOnlyIfCached(request, call, 'wait-ended');
    return readCoalesced(request, near, call, group);
  }

  return {
    getCached: (request, open) => {
      const { key } = request;
      const entry = tiers.getFreshList(makeCacheKey(key), request);
      if (entry === undefined) return undefined;
      if (shouldRefreshEarly(entry, clock.now(), random)) refresh(request, entry, open());
      const lookup = { tier: tiers.nearestName, outcome: 'hit' } as const;
      return { entry, trail: { key, tiers: [lookup], regions: [], entry, stored: true } };
    },
    read: (requests, call) => {
      const group = createLoadGroup((loads: readonly Load[]) => loadThrough(loads, openLoad(call)));
      let isCallHopeless: boolean | undefined;
      const isHopeless = (): boolean => {
        isCallHopeless ??= source.isHopeless?.(call) ?? false;
        return isCallHopeless;
      };
      const reads = requests.map((request) => readOne(request, { call, group, isHopeless }));
      group.start();
      return Promise.all(reads);
    },
  };
}

/** Replaces a served entry in the background, unless a load of its key is in flight or the key backs off. */
function createRefresher(
  { clock, counters, side, loadTimeoutMs }: ReadThroughOptions,
  flights: Singleflight<ListRead, CacheKey>,
  backoff: KeyBackoff,
  loadThrough: LoadThrough,
): (request: ListRequest, entry: Entry, call: Call) => void {
  const countFailure = (): void => counters.add(`${side}_refresh_failures_total`);

  return (request, entry, call) => {
    const cacheKey = makeCacheKey(request.key);
    if (flights.has(cacheKey, request.notBeforeMs) || backoff.rejectionReason(cacheKey, true) !== undefined) return;
    counters.add(`${side}_refreshes_total`);
    const notBeforeMs = Math.max(request.notBeforeMs, entry.storedAtMs + 1);
    const newer: ListRequest = { ...request, notBeforeMs, isBackground: true };
    const refreshed = flights.run(cacheKey, {
      load: async (lead) => {
        const own = detach(call, clock, loadTimeoutMs);
        const [read] = await loadThrough([{ request: newer, isRefresh: true, lead }], own);
        return read as ListRead;
      },
      waitTimeoutMs: loadTimeoutMs,
      notBeforeMs: request.notBeforeMs,
      keepAlive: (work) => call.waitUntil(work),
    });
    const ended = refreshed.then(({ value }) => {
      if (value.kind === 'unreachable' || value.failure !== undefined) countFailure();
    }, countFailure);
    call.waitUntil(ended);
  };
}
