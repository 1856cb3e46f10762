// Lists of one region through its objects, one call to each shard that holds a user who is asked for. Objects are caches: one that is
// overloaded, missing, slow or broken is passed over, and its region's origin asked without it.

import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { describeError, type Log } from '../log.ts';
import { type Call, shareOfDeadlineMs, traceIdOf } from '../request/call.ts';
import { WaitCancelled, WaitTimeout, withTimeout } from '../request/with-timeout.ts';
import type { ListRequest, Loaded, RegionReader } from '../upstream/region-reader.ts';
import type { RegionObject, RegionRead } from './protocol.ts';
import { chooseShard, shardName } from './shard.ts';

/** The object of a name; `locationHint` says where it is to be made, if it is not yet. */
export type FindObject = (name: string, locationHint: Region['locationHint']) => RegionObject;

interface RegionObjectsOptions {
  readonly find: FindObject;
  /** Objects per region. */
  readonly shards: number;
  /** Reads what objects do not. */
  readonly origin: RegionReader;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  /** Milliseconds that one call may take at most. */
  readonly timeoutMs: number;
}

/** An object that failed is left alone for this long. */
export const BYPASS_MS = 2_000;
/** Of its time a call gives this share to the object, so that its answer, which may be a failure, still comes back in time. */
const OBJECT_SHARE = 0.8;

interface Part {
  readonly request: ListRequest;
  readonly shard: string;
}

type Outcome =
  | { readonly kind: 'reads'; readonly reads: readonly RegionRead[] }
  | { readonly kind: 'bypassed'; why: string };

export function createRegionObjects(options: RegionObjectsOptions): RegionReader {
  const { find, shards, origin, clock, counters, log, timeoutMs } = options;
  const bypassUntilMs = new Map<string, number>();
  let isolate: string | undefined;
  let calls = 0;

  /** Of a call, among those of all isolates. (Nothing is random before the first request.) */
  function nextId(): string {
    isolate ??= crypto.randomUUID();
    return `${isolate}/${calls++}`;
  }

  async function ask(region: Region, shard: string, reads: readonly ListRequest[], call: Call): Promise<Outcome> {
    if (clock.now() < (bypassUntilMs.get(shard) ?? 0)) return { kind: 'bypassed', why: 'failed' };
    counters.add('edge_region_calls_total');
    const shareMs = shareOfDeadlineMs(call, region, clock, timeoutMs);
    const { traceparent, devLocation } = call;
    const id = nextId();
    const deadlineMs = Math.max(1, Math.floor(shareMs * OBJECT_SHARE));
    try {
      const answer = await withTimeout(
        clock,
        shareMs,
        () =>
          find(shard, region.locationHint).read({
            id,
            region: region.name,
            deadlineMs,
            traceparent,
            devLocation,
            reads,
          }),
        call.presence,
      );
      if (answer.kind === 'reads') return answer;
      return bypass(shard, 'overloaded', call);
    } catch (error) {
      // Who does not want it any more says nothing of the object.
      if (error instanceof WaitCancelled) {
        // If it cannot be told, it finds out at its deadline.
        call.waitUntil(
          find(shard, region.locationHint)
            .cancel(id)
            .catch(() => {}),
        );
        return { kind: 'bypassed', why: 'cancelled' };
      }
      return bypass(shard, whyFailed(error), call, error);
    }
  }

  function bypass(shard: string, why: string, call: Call, error?: unknown): Outcome {
    counters.add('edge_region_failures_total');
    bypassUntilMs.set(shard, clock.now() + BYPASS_MS);
    log.warn('region_object_failed', {
      object: shard,
      reason: why,
      traceId: traceIdOf(call.traceparent),
      ...(error === undefined ? {} : describeError(error)),
    });
    return { kind: 'bypassed', why };
  }

  return {
    read: async (region, requests, call) => {
      const parts = requests.map(
        (request): Part => ({ request, shard: shardName(region.name, chooseShard(request.key.user, shards)) }),
      );
      const byShard = Map.groupBy(parts, ({ shard }) => shard);
      const loaded = new Map<ListRequest, Loaded>();
      const bypassed: { request: ListRequest; why: string }[] = [];
      const askShard = async (shard: string, group: readonly Part[]): Promise<void> => {
        const reads = group.map(({ request }) => request);
        const outcome = await call.timings.time('region', () => ask(region, shard, reads, call), region.name);
        for (const [i, request] of reads.entries()) {
          const read = outcome.kind === 'reads' ? outcome.reads[i] : undefined;
          if (read !== undefined) loaded.set(request, toLoaded(region.name, read));
          else bypassed.push({ request, why: outcome.kind === 'bypassed' ? outcome.why : 'error' });
        }
      };
      await Promise.all([...byShard].map(([shard, group]) => askShard(shard, group)));
      if (bypassed.length > 0 && call.presence?.isGone() !== true) {
        counters.add('edge_region_bypasses_total', bypassed.length);
        const rest = await origin.read(
          region,
          bypassed.map(({ request }) => request),
          call,
        );
        for (const [i, { request, why }] of bypassed.entries()) loaded.set(request, withBypass(rest[i] as Loaded, why));
      }
      return requests.map((request) => loaded.get(request) ?? cancelled(region.name));
    },
  };
}

/** Nobody reads it. */
const cancelled = (region: string): Loaded => ({
  kind: 'failed',
  isRegionAtFault: false,
  asked: [{ region, object: { outcome: 'bypass', detail: 'cancelled' } }],
});

function toLoaded(region: string, { entry, failure, isFromCache, object, origin }: RegionRead): Loaded {
  const asked = [{ region, object, ...(origin === undefined ? {} : { origin }) }];
  if (entry !== undefined && failure === undefined) return { kind: 'entry', entry, isFromCache, asked };
  const why = failure ?? { isRegionAtFault: true };
  return { kind: 'failed', ...why, asked, ...(entry === undefined ? {} : { stale: entry }) };
}

const withBypass = (loaded: Loaded, why: string): Loaded => ({
  ...loaded,
  asked: loaded.asked.map((asked) => ({ ...asked, object: { outcome: 'bypass', detail: why } })),
});

/** Errors of the runtime say when it is the object that has too much to do. */
function whyFailed(error: unknown): string {
  if (error instanceof WaitTimeout) return 'timeout';
  return (error as { overloaded?: unknown } | null)?.overloaded === true ? 'overloaded' : 'error';
}
