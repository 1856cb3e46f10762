// What a region's object does: the lists that it holds in memory, one load of a key for all who ask, and misses that leave for the origin
// together. It knows no manifest: who asks names the generation, and the moment before which nothing will do.

import { OwnPresence } from '../../shared/caching/cancellation.ts';
import { stateOf } from '../../shared/caching/entry.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { createListReader, type ListRead } from '../reads/read-through.ts';
import type { Call } from '../request/call.ts';
import { createTimings } from '../request/timings.ts';
import { createTierChain } from '../tiers/chain.ts';
import type { MemoryTier } from '../tiers/tier.ts';
import type { ListRequest, RegionReader } from '../upstream/region-reader.ts';
import { NOWHERE } from '../upstream/round-trips.ts';
import { createBatcher } from './batcher.ts';
import type { RegionAnswer, RegionCall, RegionRead } from './protocol.ts';

export interface RegionLists {
  read(call: RegionCall, waitUntil: (work: Promise<unknown>) => void): Promise<RegionAnswer>;
  /** Of a call that is being answered: nobody waits for it any more. Nothing happens for one that is not. */
  cancel(id: string): void;
}

interface RegionListsOptions {
  readonly region: Region;
  readonly memory: MemoryTier;
  readonly origin: RegionReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  /** From when on a load is not waited for any more, in milliseconds. */
  readonly flightAgeMs: number;
}

/** With more misses waiting than this an object refuses: some ten calls' worth, which callers would wait for in vain. */
export const MAX_WAITING = 2_000;

export function createRegionLists(options: RegionListsOptions): RegionLists {
  const { region, memory, origin, clock, random, counters, flightAgeMs } = options;
  const batcher = createBatcher({ region, origin, clock });
  const lists = createListReader({
    tiers: createTierChain({ nearest: memory, others: [], clock, counters, side: 'region' }),
    source: batcher,
    clock,
    random,
    counters,
    side: 'region',
    // Who asks knows the manifest; a later load of the key, by one who knows better, is all that is told here.
    isFenced: () => false,
    flightAgeMs,
  });

  /** Of those whose calls are being answered. */
  const presences = new Map<string, OwnPresence>();

  function isHeld({ key, notBeforeMs }: ListRequest): boolean {
    const entry = memory.peek(makeCacheKey(key));
    return entry !== undefined && entry.storedAtMs >= notBeforeMs && stateOf(entry, clock.now()) === 'fresh';
  }

  async function read(
    { id, deadlineMs, traceparent, devLocation, reads }: RegionCall,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<RegionAnswer> {
    counters.add('region_reads_total', reads.length);
    // What is held costs the origin nothing, however much waits for it.
    if (batcher.waiting() + reads.length > MAX_WAITING && !reads.every(isHeld)) {
      counters.add('region_shed_total', reads.length);
      return { kind: 'overloaded' };
    }
    const presence = new OwnPresence();
    const call: Call = {
      deadlineAtMs: clock.now() + deadlineMs,
      place: NOWHERE,
      regions: [region],
      failedRegions: new Set(),
      traceparent,
      devLocation,
      timings: createTimings(clock),
      presence,
      waitUntil,
    };
    presences.set(id, presence);
    try {
      return { kind: 'reads', reads: (await lists.read(reads, call)).map(toRegionRead) };
    } finally {
      presences.delete(id);
    }
  }

  return {
    read,
    cancel: (id) => {
      const presence = presences.get(id);
      if (presence === undefined) return;
      counters.add('region_cancelled_total');
      presence.leave();
    },
  };
}

function toRegionRead(read: ListRead): RegionRead {
  const { tiers, regions } = read.trail;
  const { tier: _, ...object } = tiers[0] ?? { tier: '', outcome: 'miss' };
  const origin = regions[0]?.origin;
  return {
    isFromCache: read.kind === 'entry' && read.isFromCache,
    object: { ...object, isStored: read.trail.stored },
    ...(origin === undefined ? {} : { origin }),
    ...(read.kind === 'entry' ? { entry: read.entry } : {}),
    ...(read.failure === undefined ? {} : { failure: read.failure }),
  };
}
