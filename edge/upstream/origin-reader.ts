// Lists from the origin of one region, as entries that can be stored. An entry is as old as the call that brought it is at its beginning, and
// older by as much as the origin says: what changed since then may or may not be in it.

import { makeEntry } from '../../shared/caching/lifetime.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';
import type { ListAsk } from '../../shared/wire/read-request.ts';
import type { AgedValue, ListResult } from '../../shared/wire/read-response.ts';
import type { Log } from '../log.ts';
import { traceIdOf } from '../request/call.ts';
import type { OriginClient, RegionFailure } from './origin-client.ts';
import type { ListRequest, Loaded, RegionReader } from './region-reader.ts';

interface OriginListsOptions {
  readonly client: OriginClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function createOriginLists({ client, clock, random, log }: OriginListsOptions): RegionReader {
  function toLoaded(
    region: string,
    request: ListRequest,
    { maxAgeMs = Number.POSITIVE_INFINITY }: ListAsk,
    result: ListResult | undefined,
    calledAtMs: number,
  ): Loaded {
    if (result === undefined) throw new Error('expected a result for every key; list-frames.ts sees to it');
    if (result.kind === 'error') return toFailed(region, request, result.code);
    const loadMs = clock.now() - calledAtMs;
    const status = result.kind === 'list' ? 200 : 404;
    const { ageMs = 0 } = result;
    // It may have told the age at its answer, and what it read for this call is as old as the call at most. What is older even so may be from
    // before an erasure: it is not given to those who know of that, nor taken for a refresh. Another key may be read there.
    if (ageMs > maxAgeMs + loadMs) {
      return { kind: 'failed', isRegionAtFault: false, asked: [{ region, origin: { status, detail: OUTDATED } }] };
    }
    const entry = toEntry(request, result, calledAtMs, loadMs);
    return { kind: 'entry', entry, isFromCache: ageMs > 0, asked: [{ region, origin: { status } }] };
  }

  function toEntry({ key, ttlSeconds }: ListRequest, aged: AgedValue, calledAtMs: number, loadMs: number) {
    const { ageMs = 0, itemsAgeMs = 0, ...value } = aged;
    const itemsStoredAtMs = key.expand === undefined ? undefined : calledAtMs - itemsAgeMs;
    return makeEntry(value, ttlSeconds, { storedAtMs: calledAtMs - ageMs, loadMs, itemsStoredAtMs }, random);
  }

  return {
    read: async (region, requests, call) => {
      const calledAtMs = clock.now();
      const asks = requests.map((request) => toAsk(request, calledAtMs));
      const answer = await call.timings.time('origin', () => client.readLists(region, asks, call), region.name);
      if (answer.kind === 'failed') {
        const asked = [{ region: region.name, origin: describeFailure(answer.failure) }];
        const { status, retryAfterMs } = answer.failure;
        const later = retryAfterMs === undefined ? {} : { retryAfterMs };
        return requests.map(({ isBackground }) =>
          isBackground === true && status === problemOf('overloaded').status
            ? { kind: 'failed', isRegionAtFault: false, isShed: true, ...later, asked }
            : { kind: 'failed', isRegionAtFault: true, ...later, asked },
        );
      }
      const results = answer.value;
      const reason = tableFailureOf(requests, results);
      if (reason !== undefined)
        log.warn('table_failed', { region: region.name, reason, traceId: traceIdOf(call.traceparent) });
      const loaded = requests.map((request, i) =>
        toLoaded(region.name, request, asks[i] as ListAsk, results[i], calledAtMs),
      );
      const keys = loaded.filter(isOutdated).length;
      if (keys > 0) log.warn('lists_outdated', { region: region.name, keys, traceId: traceIdOf(call.traceparent) });
      return loaded;
    },
  };
}

const OUTDATED = 'outdated';
/** A key that was refused among others does not say when to come again. */
const SHED_RETRY_AFTER_MS = 1_000;

const isOutdated = ({ asked }: Loaded): boolean => asked[0]?.origin?.detail === OUTDATED;

/** An age instead of the moment, because clocks differ: on its way the answer only gets older, so what is young enough on arrival there is so here. */
const toAsk = ({ key, notBeforeMs, isBackground = false }: ListRequest, nowMs: number): ListAsk => ({
  ...key,
  ...(notBeforeMs > 0 ? { maxAgeMs: Math.max(0, nowMs - notBeforeMs) } : {}),
  ...(isBackground ? { isBackground } : {}),
});

function toFailed(region: string, request: ListRequest, code: ErrorCode): Loaded {
  const { status, retryable } = problemOf(code);
  const asked = [{ region, origin: { status } }];
  if (isShed(request, code)) return { kind: 'failed', isRegionAtFault: false, isShed: true, asked };
  // An error of another kind is about the key, and the next key may be read there. So may the list alone, when it is its items that are out of
  // reach; but where there is too much to do, it would only be more.
  const isOfItems = request.key.expand !== undefined && code !== 'overloaded';
  const later = code === 'overloaded' ? { retryAfterMs: SHED_RETRY_AFTER_MS } : {};
  return { kind: 'failed', isRegionAtFault: retryable && !isOfItems, ...later, asked };
}

const isShed = ({ isBackground = false }: ListRequest, code: ErrorCode): boolean =>
  isBackground && code === 'overloaded';

/** The code of the first result when every one of them is an error that passes in time, which is how an origin tells that its table is out of reach. */
function tableFailureOf(requests: readonly ListRequest[], results: readonly ListResult[]): ErrorCode | undefined {
  const codes = requests.map((request, i) => {
    const result = results[i];
    if (result?.kind !== 'error' || isShed(request, result.code)) return undefined;
    return problemOf(result.code).retryable ? result.code : undefined;
  });
  return codes.includes(undefined) ? undefined : codes[0];
}

/** A status that speaks for itself needs no detail; a 200 that could not be read does. */
const describeFailure = ({ reason, status }: RegionFailure): { status?: number; detail?: string } => ({
  ...(status === undefined ? {} : { status }),
  ...(reason === 'status' ? {} : { detail: reason }),
});
