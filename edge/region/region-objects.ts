// Reads lists of one region through its objects, one call per shard. Objects are caches: if one is overloaded, missing,
// slow or broken, the read bypasses it and asks the region's origin.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { MESSAGE_VERSION, readMessageVersion } from '../../shared/wire/message-version.ts';
import { type Builds, objectPart, originPart } from '../builds.ts';
import { describeError, type Log } from '../log.ts';
import type { ListRequest, LoadResult } from '../reads/list-source.ts';
import type { RegionReader } from '../reads/region-reader.ts';
import { type Call, remainingMs } from '../request/call.ts';
import { describeRequest } from '../request/request-id.ts';
import { WaitCancelled, WaitTimeout, withTimeout } from '../request/with-timeout.ts';
import { SWITCHED_OFF } from '../tiers/tier.ts';
import type { ObjectAnswers } from './object-answers.ts';
import type { RegionAnswer, RegionObject, RegionRead } from './protocol.ts';
import { chooseShard, shardName } from './shard.ts';

/** The object of a name. `locationHint` is where the platform creates it. */
export type FindObject = (name: string, locationHint: Region['locationHint']) => RegionObject;

interface RegionObjectsOptions {
  readonly find: FindObject;
  /** Objects per region. */
  readonly shards: number;
  /** Reads keys whose object is bypassed. */
  readonly origin: RegionReader;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly builds: Builds;
  readonly answers: ObjectAnswers;
  /** Maximum duration of one call in milliseconds. */
  readonly timeoutMs: number;
}

/** A failed object is bypassed for this long. */
export const BYPASS_MS = 2_000;
/** An object that did not answer within less is not bypassed by others. */
export const MIN_JUDGED_MS = 250;
/**
 * Share of the call's time that the object gets. The rest is for the transfer of its answer, which may be a failure.
 */
const OBJECT_SHARE = 0.8;

type ShardAnswer =
  | { readonly kind: 'reads'; readonly reads: readonly RegionRead[] }
  | { readonly kind: 'bypassed'; readonly detail: string };

const bypassReason = (answer: ShardAnswer): string | undefined =>
  answer.kind === 'bypassed' ? answer.detail : undefined;

export function createRegionObjects(options: RegionObjectsOptions): RegionReader {
  const { shards, origin, counters } = options;
  const callShard = createShardCaller(options);

  async function readBypassed(
    region: Region,
    bypassed: ReadonlyMap<ListRequest, string>,
    call: Call,
  ): Promise<[ListRequest, LoadResult][]> {
    counters.add('edge_region_bypasses_total', bypassed.size);
    const results = await origin.read(region, [...bypassed.keys()], call);
    return [...bypassed].map(([request, detail], i) => [request, withBypass(results[i] as LoadResult, detail)]);
  }

  return {
    read: async (region, requests, call) => {
      if (call.switches?.isRegionTierOff === true) {
        const switched = new Map(requests.map((request) => [request, SWITCHED_OFF]));
        return (await readBypassed(region, switched, call)).map(([, result]) => result);
      }
      const byShard = Map.groupBy(requests, ({ key }) => shardName(region, chooseShard(key.user, shards)));
      const results = new Map<ListRequest, LoadResult>();
      const bypassed = new Map<ListRequest, string>();
      const readShard = async (shard: string, reads: readonly ListRequest[]): Promise<void> => {
        const callObject = async (): Promise<ShardAnswer> => {
          const answered = await callShard(region, shard, reads, call);
          call.trace?.describe({ 'earshot.keys': reads.length, 'earshot.bypassed': bypassReason(answered) });
          return answered;
        };
        const answer = await call.timings.time('region', callObject, region.name);
        for (const [i, request] of reads.entries()) {
          const read = answer.kind === 'reads' ? answer.reads[i] : undefined;
          if (read !== undefined) results.set(request, toResult(region.name, read));
          else bypassed.set(request, bypassReason(answer) ?? 'error');
        }
      };
      await Promise.all([...byShard].map(([shard, reads]) => readShard(shard, reads)));
      if (bypassed.size > 0 && call.cancellation?.isCancelled() !== true) {
        for (const [request, result] of await readBypassed(region, bypassed, call)) results.set(request, result);
      }
      return requests.map((request) => results.get(request) ?? cancelledResult(region.name));
    },
  };
}

/** Calls one object within the call's deadline, and bypasses it for a while after a failure. */
function createShardCaller({ find, clock, counters, log, builds, answers, timeoutMs }: RegionObjectsOptions) {
  const bypassUntilMs = new Map<string, number>();
  const nextId = createCallIds();

  function bypass(shard: string, detail: string, call: Call, error?: unknown): ShardAnswer {
    counters.add('edge_region_failures_total');
    bypassUntilMs.set(shard, clock.now() + BYPASS_MS);
    const cause = error === undefined ? {} : describeError(error);
    const about = describeRequest(call.requestId, call.traceparent);
    log.warn('region_object_failed', { object: shard, reason: detail, ...about, ...cause });
    return { kind: 'bypassed', detail };
  }

  return async (region: Region, shard: string, reads: readonly ListRequest[], call: Call): Promise<ShardAnswer> => {
    if (clock.now() < (bypassUntilMs.get(shard) ?? 0)) return { kind: 'bypassed', detail: 'failed' };
    counters.add('edge_region_calls_total');
    const callMs = Math.max(1, Math.floor(Math.min(timeoutMs, remainingMs(call, clock))));
    const { requestId, traceparent, devLocation } = call;
    const id = nextId();
    const deadlineMs = Math.max(1, Math.floor(callMs * OBJECT_SHARE));
    const about = { id, region: region.name, deadlineMs, requestId, traceparent, devLocation };
    const regionCall = { version: MESSAGE_VERSION, ...about, reads: reads.map(toMessage) };
    const object = (): RegionObject => find(shard, region.locationHint);
    const calledAtMs = clock.now();
    try {
      const answer = await withTimeout(clock, callMs, () => object().read(regionCall), call.cancellation);
      noteBuilds(builds, region.name, answer);
      if (isFromMemory(answer)) answers.observe(shard, region, clock.now() - calledAtMs);
      return answer.kind === 'reads' ? answer : bypass(shard, 'overloaded', call);
    } catch (error) {
      // A caller with little time says nothing of the object.
      if (error instanceof WaitTimeout && callMs < MIN_JUDGED_MS) return { kind: 'bypassed', detail: 'timeout' };
      if (!(error instanceof WaitCancelled)) return bypass(shard, describeCause(error), call, error);
      // The caller's cancellation says nothing of the object. If this message is lost, the call ends at its deadline.
      call.waitUntil(
        object()
          .cancel(id)
          .catch(() => {}),
      );
      return { kind: 'bypassed', detail: 'cancelled' };
    }
  };
}

const isFromMemory = (answer: RegionAnswer): boolean =>
  answer.kind === 'reads' && answer.reads.every(({ isFromCache }) => isFromCache);

function noteBuilds(builds: Builds, region: string, { version, build, origin }: RegionAnswer): void {
  builds.note(objectPart(region), { build, messages: readMessageVersion(version) });
  if (origin !== undefined) builds.note(originPart(region), origin);
}

/** The fields that an object knows, and no others: RPC copies everything. */
const toMessage = ({ key, ttlSeconds, notBeforeMs, isBackground, warm }: ListRequest): ListRequest => ({
  key,
  ttlSeconds,
  notBeforeMs,
  ...(isBackground === undefined ? {} : { isBackground }),
  ...(warm === undefined ? {} : { warm }),
});

/**
 * Ids of calls, unique among all isolates. The isolate's part is made late: there is no randomness before the first
 * request.
 */
function createCallIds(): () => string {
  let isolate: string | undefined;
  let calls = 0;
  return () => {
    isolate ??= crypto.randomUUID();
    return `${isolate}/${calls++}`;
  };
}

/** No caller reads it. */
const cancelledResult = (region: string): LoadResult => ({
  kind: 'failed',
  reason: 'wait-ended',
  regions: [{ region, object: { outcome: 'bypass', detail: 'cancelled' } }],
});

function toResult(region: string, { entry, failure, isFromCache, object, origin }: RegionRead): LoadResult {
  const regions = [{ region, object, ...(origin === undefined ? {} : { origin }) }];
  if (entry !== undefined && failure === undefined) return { kind: 'entry', entry, isFromCache, regions };
  const cause = failure ?? { reason: 'region-unavailable' };
  return { kind: 'failed', ...cause, regions, ...(entry === undefined ? {} : { stale: entry }) };
}

const withBypass = (result: LoadResult, detail: string): LoadResult => ({
  ...result,
  regions: result.regions.map((lookup) => ({ ...lookup, object: { outcome: 'bypass', detail } })),
});

/** The runtime marks errors of an overloaded object. */
function describeCause(error: unknown): string {
  if (error instanceof WaitTimeout) return 'timeout';
  return (error as { overloaded?: unknown } | null)?.overloaded === true ? 'overloaded' : 'error';
}
