// Lists from the origin of one region, as entries that can be stored. An entry is as old as the call that brought it is at its beginning:
// what changed while it was under way may or may not be in it.
import type { Clock } from '../../shared/clock.ts';
import { problemOf } from '../../shared/errors.ts';
import { makeEntry } from '../../shared/lifetime.ts';
import type { ListResult } from '../../shared/list-frames.ts';
import type { Random } from '../../shared/random.ts';
import { traceIdOf } from '../call.ts';
import type { Log } from '../log.ts';
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
    { ttlSeconds }: ListRequest,
    result: ListResult | undefined,
    storedAtMs: number,
  ): Loaded {
    if (result === undefined) throw new Error('expected a result for every key; list-frames.ts sees to it');
    if (result.kind === 'error') {
      const { status, retryable } = problemOf(result.code);
      // An error of another kind is about the key, and the next key may be read there.
      return { kind: 'failed', isRegionAtFault: retryable, asked: [{ region, origin: { status } }] };
    }
    const entry = makeEntry(result, ttlSeconds, { storedAtMs, loadMs: clock.now() - storedAtMs }, random);
    const status = result.kind === 'list' ? 200 : 404;
    return { kind: 'entry', entry, isFromCache: false, asked: [{ region, origin: { status } }] };
  }

  return {
    read: async (region, requests, call) => {
      const storedAtMs = clock.now();
      const keys = requests.map(({ key }) => key);
      const answer = await call.timings.time('origin', () => client.readLists(region, keys, call), region.name);
      if (answer.kind === 'failed') {
        const asked = [{ region: region.name, origin: describeFailure(answer.failure) }];
        return requests.map(() => ({ kind: 'failed', isRegionAtFault: true, asked }));
      }
      const reason = tableFailureOf(answer.value);
      if (reason !== undefined)
        log.warn('table_failed', { region: region.name, reason, traceId: traceIdOf(call.traceparent) });
      return requests.map((request, i) => toLoaded(region.name, request, answer.value[i], storedAtMs));
    },
  };
}

/** The code of the first result when every one of them is an error that passes in time, which is how an origin tells that its table is out of reach. */
function tableFailureOf(results: readonly ListResult[]): string | undefined {
  const codes = results.map((result) =>
    result.kind === 'error' && problemOf(result.code).retryable ? result.code : undefined,
  );
  return codes.includes(undefined) ? undefined : codes[0];
}

/** A status that speaks for itself needs no detail; a 200 that could not be read does. */
const describeFailure = ({ reason, status }: RegionFailure): { status?: number; detail?: string } => ({
  ...(status === undefined ? {} : { status }),
  ...(reason === 'status' ? {} : { detail: reason }),
});
