// Loads the lists that memory does not have, each once for all requests that wait for it. The keys that one request
// leads leave in one call.
import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import {
  createSingleflight,
  type Lead,
  type OwnLead,
  type Singleflight,
  WaitOver,
} from '../../shared/caching/singleflight.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import { isReadFailure } from '../bigtable/stored-values.ts';
import { currentTrace } from '../tracing/request-trace.ts';
import { notBeforeMsOf, toListResult } from './freshness.ts';
import type { ListMemory } from './list-memory.ts';
import type { LoadLists, LoadResult } from './load-lists.ts';

/** One key of a request that memory does not have. `index`: its place in the request. */
export interface MissingList {
  readonly query: ListQuery;
  readonly cacheKey: CacheKey;
  readonly index: number;
}

/** A request whose missing lists are loaded into `results`. */
export interface PendingRead {
  readonly results: ListResult[];
  readonly arrivedAtMs: number;
  readonly cancellation: Cancellation | undefined;
}

export interface CoalescedLoadOptions {
  readonly memory: ListMemory;
  readonly load: LoadLists;
  readonly manifest: () => Manifest;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Age in milliseconds beyond which a load is not joined: the maximum duration of a request. */
  readonly flightAgeMs: number;
}

interface LedList extends MissingList {
  readonly lead: OwnLead<LoadResult>;
}

export class CoalescedLoad {
  readonly #options: CoalescedLoadOptions;
  readonly #flights: Singleflight<LoadResult, CacheKey>;
  readonly #countCancelled: () => void;

  constructor(options: CoalescedLoadOptions) {
    const { clock, counters, flightAgeMs } = options;
    this.#options = options;
    this.#flights = createSingleflight<LoadResult, CacheKey>({
      clock,
      ageTimeoutMs: flightAgeMs,
      isFailure: isReadFailure,
    });
    this.#countCancelled = () => counters.add('origin_cancelled_keys_total');
  }

  /** Sets the results of all `missing`. Never rejects. */
  async load(missing: readonly MissingList[], pending: PendingRead, timeoutMs: number): Promise<void> {
    const led: LedList[] = [];
    const following: Promise<void>[] = [];
    for (const each of missing) {
      const lead = this.#flights.lead(each.cacheKey, this.#notBeforeMsOf(each.query, pending.arrivedAtMs));
      if (lead === undefined) following.push(this.#follow(each, pending, timeoutMs));
      else led.push({ ...each, lead });
    }
    if (led.length > 0) await this.#loadLed(led, pending, timeoutMs);
    if (following.length > 0) await Promise.all(following);
  }

  /** Whether a load in flight can be joined. */
  isLoading({ cacheKey, query }: MissingList, arrivedAtMs: number): boolean {
    return this.#flights.has(cacheKey, this.#notBeforeMsOf(query, arrivedAtMs));
  }

  /** Number of loads in flight. */
  flights(): number {
    return this.#flights.size();
  }

  #notBeforeMsOf(query: ListQuery, arrivedAtMs: number): number {
    return notBeforeMsOf(query, this.#options.manifest(), arrivedAtMs);
  }

  async #loadLed(led: readonly LedList[], pending: PendingRead, timeoutMs: number): Promise<void> {
    const { results, arrivedAtMs, cancellation } = pending;
    const removeListener = cancellation?.onCancel(() => {
      for (const { lead } of led) lead.abandon();
    });
    const loaded = await this.#loadFor(led, timeoutMs);
    removeListener?.();
    for (const [i, { cacheKey, index, lead }] of led.entries()) {
      const each = loaded[i] ?? INTERNAL;
      this.#store(cacheKey, each, lead);
      lead.resolve(each);
      results[index] = toResult(each, arrivedAtMs);
    }
  }

  /** Waits for the load of another request. If it fails or is too old, a follower loads the key. */
  async #follow({ query, cacheKey, index }: MissingList, pending: PendingRead, timeoutMs: number): Promise<void> {
    const { results, arrivedAtMs, cancellation } = pending;
    try {
      const { value, isCollapsed } = await this.#flights.run(cacheKey, {
        load: async (lead) => {
          const [loaded = INTERNAL] = await this.#loadFor([{ query, lead }], timeoutMs);
          this.#store(cacheKey, loaded, lead);
          return loaded;
        },
        waitTimeoutMs: timeoutMs,
        notBeforeMs: this.#notBeforeMsOf(query, arrivedAtMs),
        keepAlive: () => {},
        cancellation,
      });
      if (isCollapsed) {
        this.#options.counters.add('origin_collapsed_total');
        currentTrace()?.describe({ 'earshot.joined': true });
      }
      results[index] = toResult(value, arrivedAtMs);
    } catch (error) {
      const isWaitOver = error instanceof WaitOver || error instanceof CallerCancelled;
      results[index] = { kind: 'error', code: isWaitOver ? 'deadline_exceeded' : 'internal' };
    }
  }

  /** One result per key, in order. A key whose lead is cancelled is given up. Never rejects. */
  #loadFor(keys: readonly { query: ListQuery; lead: Lead }[], timeoutMs: number) {
    for (const { lead } of keys) lead.onCancel(this.#countCancelled);
    const queries = keys.map(({ query }) => query);
    const leads = keys.map(({ lead }) => lead);
    return this.#options.load(queries, timeoutMs, leads);
  }

  #store(cacheKey: CacheKey, loaded: LoadResult, lead: Lead): void {
    if (!isReadFailure(loaded) && lead.isCurrent()) this.#options.memory.set(cacheKey, loaded);
  }
}

const INTERNAL = { kind: 'error', code: 'internal' } as const;

const toResult = (loaded: LoadResult, arrivedAtMs: number): ListResult =>
  isReadFailure(loaded) ? loaded : toListResult(loaded, arrivedAtMs);
