// Reads lists from memory, and loads the missing ones once for all concurrent requests. A list from memory carries its
// age.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { Guard } from '../guard/guard.ts';
import type { CohortCounter } from '../metrics/cohorts.ts';
import { Admission } from './admission.ts';
import { CoalescedLoad, type CoalescedLoadOptions, type MissingList } from './coalesced-load.ts';
import { isServable, toListResult } from './freshness.ts';
import { readShadow } from './shadow-read.ts';

export interface ListReader {
  /**
   * One result per query, in order: the unexpanded list. A failure is an `error` result; it never rejects. After
   * `cancellation` fires, nothing is done that no other request waits for, and missing lists are `error` results.
   */
  read(queries: readonly ListQuery[], timeoutMs: number, cancellation?: Cancellation): Promise<ListResult[]>;
  /** All results from memory, in the same turn. Undefined, without counting, if one is missing or to be expanded. */
  getCached(queries: readonly ListQuery[]): ListResult[] | undefined;
  /** Number of loads in flight. */
  flights(): number;
}

export interface ListReaderOptions extends CoalescedLoadOptions {
  readonly guard: Guard;
  /** Counts the reads of a canary's cohorts. */
  readonly cohorts: Pick<CohortCounter, 'record'>;
}

export function createListReader(options: ListReaderOptions): ListReader {
  const { memory, guard, cohorts, manifest, clock, counters } = options;
  const loads = new CoalescedLoad(options);
  const admission = new Admission({ guard, loads, clock, counters });

  return {
    getCached: (queries) => {
      const nowMs = clock.now();
      const newest = manifest();
      const results: ListResult[] = [];
      for (const query of queries) {
        if (query.expand !== undefined || query.isShadow) return undefined;
        const cached = memory.get(makeCacheKey(query));
        if (cached === undefined || !isServable(cached, query, newest, nowMs)) return undefined;
        results.push(toListResult(cached, nowMs));
      }
      counters.add('origin_memory_hits_total', queries.length);
      cohorts.record(newest, { queries, results });
      return results;
    },
    read: async (queries, timeoutMs, cancellation) => {
      // A call has only such keys, or none.
      if (queries.some(({ isShadow }) => isShadow)) return readShadow(options, queries, timeoutMs, cancellation);
      const nowMs = clock.now();
      const newest = manifest();
      const results: ListResult[] = new Array(queries.length);
      const missing: MissingList[] = [];
      for (const [index, query] of queries.entries()) {
        const cacheKey = makeCacheKey(query.expand === undefined ? query : { ...query, expand: undefined });
        const cached = memory.get(cacheKey);
        if (cached !== undefined && isServable(cached, query, newest, nowMs))
          results[index] = toListResult(cached, nowMs);
        else missing.push({ query, cacheKey, index });
      }
      counters.add('origin_memory_hits_total', queries.length - missing.length);
      if (missing.length === 0) {
        cohorts.record(newest, { queries, results });
        return results;
      }
      const startedAtMs = clock.monotonicNow();
      await admission.load(missing, { results, arrivedAtMs: nowMs, cancellation }, timeoutMs);
      if (!cancellation?.isCancelled()) {
        const loaded = { indexes: missing.map(({ index }) => index), ms: clock.monotonicNow() - startedAtMs };
        cohorts.record(manifest(), { queries, results, loaded });
      }
      return results;
    },
    flights: () => loads.flights(),
  };
}
