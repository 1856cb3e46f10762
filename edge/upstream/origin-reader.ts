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
import type { RegionReader } from '../reads/region-reader.ts';
import { remainingMs } from '../request/call.ts';
import { describeRequest } from '../request/request-id.ts';
import {
  isOverloaded,
  type OriginAnswer,
  type OriginClient,
  type RegionFailure,
  UNAUTHENTICATED,
} from './origin-client.ts';
import { readLeftOut, readSplitting } from './split-refused.ts';

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
      const mayContinue = (): boolean => remainingMs(call, clock) > 0 && call.cancellation?.isCancelled() !== true;
      const read = readLeftOut((some) => client.readLists(region, some, call), mayContinue);
      const readAll = async () => {
        const all = await readSplitting({ queries, read, isAboutKeys: mayBlameKey, mayContinue });
        call.trace?.describe({ 'earshot.keys': all.length, 'earshot.failed': all.filter(isFailed).length });
        return all;
      };
      const answers = await call.timings.time('origin', readAll, region.name);
      const about = { region: region.name, ...describeRequest(call.requestId, call.traceparent) };
      const reason = tableFailureOf(requests, answers);
      if (reason !== undefined) log.warn('table_failed', { ...about, reason });
      const results = requests.map((request, i) => {
        const answer = answers[i];
        if (answer === undefined) throw new Error('expected an answer per key; split-refused.ts fills them in');
        return answer.kind === 'failed'
          ? toCallFailure(region.name, request, answer.failure)
          : toResult(region.name, request, queries[i] as ListQuery, answer.value, calledAtMs);
      });
      const keys = results.filter(isOutdated).length;
      if (keys > 0) log.warn('lists_outdated', { ...about, keys });
      return results;
    },
  };
}

const isFailed = ({ kind }: OriginAnswer<ListResult>): boolean => kind === 'failed';

const OUTDATED = 'outdated';
/** Back-off after a single refused key, which carries no Retry-After. */
const SHED_RETRY_AFTER_MS = 1_000;

const isOutdated = ({ regions }: LoadResult): boolean => regions[0]?.origin?.detail === OUTDATED;

/**
 * Sends an age instead of a moment, because clocks differ. The transfer only adds age, so a list that is young enough
 * there is so here.
 */
const toQuery = ({ key, notBeforeMs, isBackground, isShadow }: ListRequest, nowMs: number): ListQuery => ({
  ...key,
  ...(notBeforeMs > 0 ? { maxAgeMs: Math.max(0, nowMs - notBeforeMs) } : {}),
  ...(isBackground ? { isBackground } : {}),
  ...(isShadow ? { isShadow } : {}),
});

const TIMED_OUT = 408;
const TOO_MANY = 429;
/** Statuses of a request whose content is refused: that of a lone key is the key's. */
const ABOUT_CONTENT = new Set([400, 413, 414, 422, 431]);

/**
 * A 4xx is about the call, not about the region. 408 is a lost call, and 429 an overload (RFC 9110, section 15.5.9; RFC
 * 6585, section 4).
 */
const isRefusal = ({ status = 0 }: RegionFailure): boolean =>
  status >= 400 && status < 500 && status !== TIMED_OUT && !isOverloaded(status);

/** A refused token of the edge says nothing about keys. The short lists of a large answer fit alone. */
const mayBlameKey = (failure: RegionFailure): boolean =>
  failure.reason === 'too-large' ||
  failure.reason === 'no-room' ||
  (isRefusal(failure) && failure.status !== UNAUTHENTICATED);

/** The failure of a call, as one key's. */
function toCallFailure(region: string, { isBackground = false }: ListRequest, failure: RegionFailure): LoadResult {
  const { status, retryAfterMs } = failure;
  const regions = [{ region, origin: describeFailure(failure) }];
  const backoff = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (failure.reason === 'cancelled') return { kind: 'failed', reason: 'wait-ended', regions };
  if (isBackground && isOverloaded(status)) return { kind: 'failed', reason: 'background-shed', ...backoff, regions };
  if (failure.reason === 'too-large') return { kind: 'failed', reason: 'key-failed', regions };
  if (failure.reason === 'no-room') return { kind: 'failed', reason: 'wait-ended', regions };
  if (isRefusal(failure)) {
    const isAboutKey = status !== undefined && ABOUT_CONTENT.has(status);
    return { kind: 'failed', reason: isAboutKey ? 'key-failed' : 'refused', regions };
  }
  if (status === TOO_MANY && retryAfterMs === undefined)
    return { kind: 'failed', reason: 'overloaded', retryAfterMs: SHED_RETRY_AFTER_MS, regions };
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

/** The first code if every answer is a retryable error: an origin reports an unreachable table like that. */
function tableFailureOf(
  requests: readonly ListRequest[],
  answers: readonly OriginAnswer<ListResult>[],
): ErrorCode | undefined {
  const codes = requests.map(({ isBackground = false }, i) => {
    const answer = answers[i];
    const result = answer?.kind === 'answered' ? answer.value : undefined;
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
