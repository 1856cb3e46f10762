// Loads the lists that memory does not have, each once for all requests that wait for it. The keys that one request leads leave in one call.
import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import {
  createSingleflight,
  FollowerTimeout,
  type Lead,
  type OwnLead,
  type Singleflight,
} from '../../shared/caching/singleflight.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import { isReadFailure } from '../bigtable/stored-values.ts';
import { notBeforeMsOf, toListResult } from './freshness.ts';
import type { ListMemory } from './list-memory.ts';
import type { LoadLists, LoadResult } from './load-lists.ts';

/** One key of a request that memory does not have. `index`: its place in the request. */
export interface MissingList {
  readonly query: ListQuery;
  readonly cacheKey: string;
  readonly index: number;
}

/** A request whose missing lists are loaded into `results`. */
export interface PendingRead {
  readonly results: ListResult[];
  readonly arrivedAtMs: number;
  readonly cancellation: Cancellation | undefined;
}

/** Sets the results of all `missing`. Never rejects. */
export type LoadMissing = (missing: readonly MissingList[], pending: PendingRead, timeoutMs: number) => Promise<void>;

export interface CoalescedLoadOptions {
  readonly memory: ListMemory;
  readonly load: LoadLists;
  readonly manifest: () => Manifest;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Age in milliseconds beyond which a load is not joined: the maximum duration of a request. */
  readonly flightAgeMs: number;
}

interface LoadDeps extends CoalescedLoadOptions {
  readonly flights: Singleflight<LoadResult>;
  readonly countCancelled: () => void;
}

interface LedList extends MissingList {
  readonly lead: OwnLead<LoadResult>;
}

export function createCoalescedLoad(options: CoalescedLoadOptions): {
  readonly loadMissing: LoadMissing;
  readonly flights: Singleflight<LoadResult>;
} {
  const { clock, counters, flightAgeMs } = options;
  const flights = createSingleflight<LoadResult>({ clock, ageTimeoutMs: flightAgeMs, isFailure: isReadFailure });
  const countCancelled = (): void => counters.add('origin_cancelled_keys_total');
  const deps: LoadDeps = { ...options, flights, countCancelled };
  return { flights, loadMissing: (missing, pending, timeoutMs) => loadTogether(deps, missing, pending, timeoutMs) };
}

async function loadTogether(
  deps: LoadDeps,
  missing: readonly MissingList[],
  pending: PendingRead,
  timeoutMs: number,
): Promise<void> {
  const manifest = deps.manifest();
  const led: LedList[] = [];
  const following: Promise<void>[] = [];
  for (const each of missing) {
    const lead = deps.flights.lead(each.cacheKey, notBeforeMsOf(each.query, manifest, pending.arrivedAtMs));
    if (lead === undefined) following.push(follow(deps, each, pending, timeoutMs));
    else led.push({ ...each, lead });
  }
  if (led.length > 0) await loadLed(deps, led, pending, timeoutMs);
  if (following.length > 0) await Promise.all(following);
}

async function loadLed(
  deps: LoadDeps,
  led: readonly LedList[],
  { results, arrivedAtMs, cancellation }: PendingRead,
  timeoutMs: number,
): Promise<void> {
  const removeListener = cancellation?.onCancel(() => {
    for (const { lead } of led) lead.abandon();
  });
  const loaded = await loadFor(deps, led, arrivedAtMs, timeoutMs);
  removeListener?.();
  for (const [i, { cacheKey, index, lead }] of led.entries()) {
    const each = loaded[i] ?? INTERNAL;
    store(deps, cacheKey, each, lead);
    lead.resolve(each);
    results[index] = toResult(each, arrivedAtMs);
  }
}

/** Waits for the load of another request. If that fails, or is too old, the key is loaded here or by another follower. */
async function follow(
  deps: LoadDeps,
  { query, cacheKey, index }: MissingList,
  { results, arrivedAtMs, cancellation }: PendingRead,
  timeoutMs: number,
): Promise<void> {
  try {
    const { value, isCollapsed } = await deps.flights.run(cacheKey, {
      load: async (lead) => {
        const [loaded = INTERNAL] = await loadFor(deps, [{ query, lead }], arrivedAtMs, timeoutMs);
        store(deps, cacheKey, loaded, lead);
        return loaded;
      },
      waitTimeoutMs: timeoutMs,
      notBeforeMs: notBeforeMsOf(query, deps.manifest(), arrivedAtMs),
      // The memory of another process may be older than the load that returned it.
      accepts: (loaded) =>
        isReadFailure(loaded) || loaded.storedAtMs >= notBeforeMsOf(query, deps.manifest(), arrivedAtMs),
      keepAlive: () => {},
      cancellation,
    });
    if (isCollapsed) deps.counters.add('origin_collapsed_total');
    results[index] = toResult(value, arrivedAtMs);
  } catch (error) {
    results[index] = { kind: 'error', code: isWaitOver(error) ? 'deadline_exceeded' : 'internal' };
  }
}

/** One result per key, in order. A key whose lead is cancelled is given up. Never rejects. */
function loadFor(
  { load, manifest, countCancelled }: LoadDeps,
  keys: readonly { readonly query: ListQuery; readonly lead: Lead }[],
  arrivedAtMs: number,
  timeoutMs: number,
): Promise<readonly LoadResult[]> {
  for (const { lead } of keys) lead.onCancel(countCancelled);
  const queries = keys.map(({ query }) => withMaxAge(query, manifest(), arrivedAtMs));
  return load(
    queries,
    timeoutMs,
    keys.map(({ lead }) => lead),
  );
}

function store({ memory }: LoadDeps, cacheKey: string, loaded: LoadResult, lead: Lead): void {
  if (!isReadFailure(loaded) && lead.isCurrent()) memory.set(cacheKey, loaded);
}

/** The query for another process, which may not know the erasure yet. */
function withMaxAge(query: ListQuery, manifest: Manifest, arrivedAtMs: number): ListQuery {
  const notBeforeMs = notBeforeMsOf(query, manifest, arrivedAtMs);
  return notBeforeMs === 0 ? query : { ...query, maxAgeMs: Math.max(0, arrivedAtMs - notBeforeMs) };
}

const INTERNAL = { kind: 'error', code: 'internal' } as const;

const toResult = (loaded: LoadResult, arrivedAtMs: number): ListResult =>
  isReadFailure(loaded) ? loaded : toListResult(loaded, arrivedAtMs);

const isWaitOver = (error: unknown): boolean => error instanceof FollowerTimeout || error instanceof CallerCancelled;
