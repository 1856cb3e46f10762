// Lists from one region's origin, as cache entries. An entry's `storedAtMs` is the start of the call minus the age that
// the origin reports: a later change may or may not be in the list.
import { makeEntry } from '../../shared/caching/lifetime.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { AgedValue, ListResult } from '../../shared/wire/read-response.ts';
import type { Log } from '../log.ts';
import type { ListRequest, LoadResult } from '../reads/list-source.ts';
import { traceIdOf } from '../request/traceparent.ts';
import type { OriginClient, RegionFailure } from './origin-client.ts';
import type { RegionReader } from './region-reader.ts';

interface OriginReaderOptions {
  readonly client: OriginClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function createOriginReader({ client, clock, random, log }: OriginReaderOptions): RegionReader {
  function toEntry({ key, ttlSeconds }: ListRequest, aged: AgedValue, calledAtMs: number, loadMs: number) {
    const { ageMs = 0, itemsAgeMs = 0, ...value } = aged;
    const itemsStoredAtMs = key.expand === undefined ? undefined : calledAtMs - itemsAgeMs;
    return makeEntry(value, ttlSeconds, { storedAtMs: calledAtMs - ageMs, loadMs, itemsStoredAtMs }, random);
  }

  function toResult(
    region: string,
    request: ListRequest,
    { maxAgeMs = Number.POSITIVE_INFINITY }: ListQuery,
    result: ListResult,
    calledAtMs: number,
  ): LoadResult {
    if (result.kind === 'error') return toKeyFailure(region, request, result.code);
    const loadMs = clock.now() - calledAtMs;
    const status = result.kind === 'list' ? 200 : 404;
    const { ageMs = 0 } = result;
    // The origin may report the age at its answer, and a list it read for this call is as old as the call at most. An
    // older list may be from before an erasure, so it is a failure of this key.
    if (ageMs > maxAgeMs + loadMs) {
      return { kind: 'failed', reason: 'key-failed', regions: [{ region, origin: { status, detail: OUTDATED } }] };
    }
    const entry = toEntry(request, result, calledAtMs, loadMs);
    return { kind: 'entry', entry, isFromCache: ageMs > 0, regions: [{ region, origin: { status } }] };
  }

  return {
    read: async (region, requests, call) => {
      const calledAtMs = clock.now();
      const queries = requests.map((request) => toQuery(request, calledAtMs));
      const answer = await call.timings.time('origin', () => client.readLists(region, queries, call), region.name);
      if (answer.kind === 'failed')
        return requests.map((request) => toCallFailure(region.name, request, answer.failure));
      const about = { region: region.name, traceId: traceIdOf(call.traceparent) };
      const reason = tableFailureOf(requests, answer.value);
      if (reason !== undefined) log.warn('table_failed', { ...about, reason });
      const results = requests.map((request, i) => {
        const result = answer.value[i];
        if (result === undefined) throw new Error('expected a frame per key; read-response.ts checks the count');
        return toResult(region.name, request, queries[i] as ListQuery, result, calledAtMs);
      });
      const keys = results.filter(isOutdated).length;
      if (keys > 0) log.warn('lists_outdated', { ...about, keys });
      return results;
    },
  };
}

const OUTDATED = 'outdated';
/** Back-off after a single refused key, which carries no Retry-After. */
const SHED_RETRY_AFTER_MS = 1_000;

const isOutdated = ({ regions }: LoadResult): boolean => regions[0]?.origin?.detail === OUTDATED;

/**
 * Sends an age instead of a moment, because clocks differ. The transfer only adds age, so a list that is young enough
 * there is so here.
 */
const toQuery = ({ key, notBeforeMs, isBackground = false }: ListRequest, nowMs: number): ListQuery => ({
  ...key,
  ...(notBeforeMs > 0 ? { maxAgeMs: Math.max(0, nowMs - notBeforeMs) } : {}),
  ...(isBackground ? { isBackground } : {}),
});

/** The failure of the whole call, as one key's. */
function toCallFailure(region: string, { isBackground = false }: ListRequest, failure: RegionFailure): LoadResult {
  const { status, retryAfterMs } = failure;
  const regions = [{ region, origin: describeFailure(failure) }];
  const backoff = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (isBackground && status === problemOf('overloaded').status)
    return { kind: 'failed', reason: 'background-shed', ...backoff, regions };
  const reason = retryAfterMs === undefined ? 'region-unavailable' : 'overloaded';
  return { kind: 'failed', reason, ...backoff, regions };
}

/** The failure of one key in an answered call. */
function toKeyFailure(region: string, { key, isBackground = false }: ListRequest, code: ErrorCode): LoadResult {
  const { status, retryable } = problemOf(code);
  const regions = [{ region, origin: { status } }];
  if (code === 'overloaded') {
    if (isBackground) return { kind: 'failed', reason: 'background-shed', regions };
    return { kind: 'failed', reason: 'overloaded', retryAfterMs: SHED_RETRY_AFTER_MS, regions };
  }
  // For an expanded list only the items may be unreachable, so the unexpanded list may still be read here.
  const isRegionFault = retryable && key.expand === undefined;
  return { kind: 'failed', reason: isRegionFault ? 'region-unavailable' : 'key-failed', regions };
}

/** The first code if every result is a retryable error: an origin reports an unreachable table like that. */
function tableFailureOf(requests: readonly ListRequest[], results: readonly ListResult[]): ErrorCode | undefined {
  const codes = requests.map(({ isBackground = false }, i) => {
    const result = results[i];
    if (result?.kind !== 'error' || (isBackground && result.code === 'overloaded')) return undefined;
    return problemOf(result.code).retryable ? result.code : undefined;
  });
  return codes.includes(undefined) ? undefined : codes[0];
}

/** A status needs no detail, except a 200 that could not be decoded. */
const describeFailure = ({ reason, status }: RegionFailure): { status?: number; detail?: string } => ({
  ...(status === undefined ? {} : { status }),
  ...(reason === 'status' ? {} : { detail: reason }),
});
