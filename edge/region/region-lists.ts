// The work of a region object: it caches lists in memory, coalesces concurrent loads of a key, and sends misses to the
// origin in batches. It knows no manifest: the caller names the generation, and the moment before which no entry will
// do.
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import { stateOf } from '../../shared/caching/entry.ts';
import { isGeneration } from '../../shared/domain/generation.ts';
import { isListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { MESSAGE_VERSION } from '../../shared/wire/message-version.ts';
import { type Builds, originPart } from '../builds.ts';
import type { ListRead } from '../reads/list-read.ts';
import type { ListRequest } from '../reads/list-source.ts';
import { createReadThrough } from '../reads/read-through.ts';
import type { RegionReader } from '../reads/region-reader.ts';
import { type Call, detach } from '../request/call.ts';
import { NOWHERE } from '../request/place.ts';
import { createTimings } from '../request/timings.ts';
import type { OpenTrace } from '../request/trace.ts';
import { createTierChain } from '../tiers/chain.ts';
import type { MemoryTier } from '../tiers/tier.ts';
import { createBatcher } from './batcher.ts';
import type { RegionAnswer, RegionCall, RegionRead } from './protocol.ts';

type WaitUntil = (work: Promise<unknown>) => void;

export interface RegionLists {
  read(call: RegionCall, waitUntil: WaitUntil): Promise<RegionAnswer>;
  /** Cancels a call in progress. Does nothing for any other id. */
  cancel(id: string): void;
}

interface RegionListsOptions {
  readonly region: Region;
  readonly memory: MemoryTier;
  readonly origin: RegionReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly builds: Builds;
  readonly openTrace: OpenTrace;
  /** Maximum duration of a load in milliseconds. */
  readonly loadTimeoutMs: number;
}

/** Never with the key itself, which is not known to be safe to log. */
const INVALID_KEY = 'expected every key of a call to have valid parts, got another';
/** Maximum number of waiting misses, about ten calls. An object with more refuses reads. */
export const MAX_WAITING = 2_000;

export function createRegionLists(options: RegionListsOptions): RegionLists {
  const { region, memory, origin, clock, random, counters, builds, openTrace, loadTimeoutMs } = options;
  const batcher = createBatcher({ region, origin, clock });
  const lists = createReadThrough({
    tiers: createTierChain({ nearest: memory, others: [], clock, counters, side: 'region' }),
    source: batcher,
    clock,
    random,
    counters,
    side: 'region',
    // Only callers know the manifest. A later load by a caller with a newer one fences an older load.
    isFenced: () => false,
    loadTimeoutMs,
    callers: 'workers',
  });
  /** By the id of the call in progress. */
  const cancellations = new Map<string, CancellationSource>();

  function isCached({ key, notBeforeMs, ttlSeconds }: ListRequest): boolean {
    const entry = memory.peek(makeCacheKey(key));
    return (
      entry !== undefined && entry.storedAtMs >= notBeforeMs && stateOf(entry, clock.now(), ttlSeconds) === 'fresh'
    );
  }

  /** Loads the lists of the next generation for users that have a list here: their next read would miss. */
  function warm(reads: readonly ListRequest[], answers: readonly ListRead[], call: Call): void {
    const next = reads.filter((_, i) => isHit(answers[i])).flatMap(nextOf);
    const missing = next.filter((request) => memory.peek(makeCacheKey(request.key)) === undefined);
    if (missing.length === 0 || batcher.waiting() + missing.length > MAX_WAITING) return;
    counters.add('region_warmed_total', missing.length);
    call.waitUntil(lists.read(missing, detach(call, clock, loadTimeoutMs)));
  }

  function openCall({ deadlineMs, requestId = 'unknown', traceparent, devLocation }: RegionCall, waitUntil: WaitUntil) {
    const cancellation = new CancellationSource();
    const trace = openTrace();
    const call: Call = {
      deadlineAtMs: clock.now() + deadlineMs,
      place: NOWHERE,
      regions: [region],
      failedRegions: new Set(),
      requestId,
      traceparent,
      devLocation,
      trace,
      timings: createTimings(clock, trace),
      cancellation,
      waitUntil,
    };
    return { call, cancellation };
  }

  const nameBuilds = () => {
    const { build, messages } = builds.find(originPart(region.name)) ?? {};
    const named = { version: MESSAGE_VERSION, build: builds.own() };
    return build === undefined || messages === undefined ? named : { ...named, origin: { build, messages } };
  };

  return {
    read: async (regionCall, waitUntil) => {
      const { id, reads } = regionCall;
      if (!reads.every(({ key }) => isListKey(key))) throw new Error(INVALID_KEY);
      counters.add('region_reads_total', reads.length);
      // Cached lists cost the origin nothing, so they are served even from a full object.
      if (batcher.waiting() + reads.length > MAX_WAITING && !reads.every(isCached)) {
        counters.add('region_shed_total', reads.length);
        return { ...nameBuilds(), kind: 'overloaded' };
      }
      const { call, cancellation } = openCall(regionCall, waitUntil);
      cancellations.set(id, cancellation);
      try {
        const answers = await lists.read(reads, call);
        warm(reads, answers, call);
        return { ...nameBuilds(), kind: 'reads', reads: answers.map(toRegionRead) };
      } finally {
        cancellations.delete(id);
      }
    },
    cancel: (id) => {
      const cancellation = cancellations.get(id);
      if (cancellation === undefined) return;
      counters.add('region_cancelled_total');
      cancellation.cancel();
    },
  };
}

const isHit = (read: ListRead | undefined): boolean =>
  read?.kind === 'entry' && read.isFromCache && read.entry.value.kind === 'list';

/** The read that warms; none for a control cohort, whose next list has to be as cold as the canary's. */
const nextOf = ({ key, ttlSeconds, notBeforeMs, warm: generation }: ListRequest): ListRequest[] =>
  generation === undefined || !isGeneration(generation) || key.coldFor !== undefined
    ? []
    : [{ key: { ...key, generation }, ttlSeconds, notBeforeMs, isBackground: true }];

function toRegionRead(read: ListRead): RegionRead {
  const { tiers, regions, stored } = read.trail;
  const { tier: _, ...object } = tiers[0] ?? { tier: '', outcome: 'miss' };
  const origin = regions[0]?.origin;
  return {
    isFromCache: read.kind === 'entry' && read.isFromCache,
    object: { ...object, isStored: stored },
    ...(origin === undefined ? {} : { origin }),
    ...(read.kind === 'entry' ? { entry: read.entry } : {}),
    ...(read.failure === undefined ? {} : { failure: read.failure }),
  };
}
