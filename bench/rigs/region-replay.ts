// Isolates in front of the objects of one region, both running deployed code, with an origin that only counts. The
// clock does not advance, so nothing expires.

import { createBuilds } from '../../edge/builds.ts';
import type { ListRequest } from '../../edge/reads/list-source.ts';
import { createReadThrough } from '../../edge/reads/read-through.ts';
import type { RegionReader } from '../../edge/reads/region-reader.ts';
import { createObjectAnswers } from '../../edge/region/object-answers.ts';
import { createRegionLists, type RegionLists } from '../../edge/region/region-lists.ts';
import { createRegionObjects } from '../../edge/region/region-objects.ts';
import type { Call } from '../../edge/request/call.ts';
import { NOWHERE } from '../../edge/request/place.ts';
import { createTimings } from '../../edge/request/timings.ts';
import { neverTraced } from '../../edge/request/trace.ts';
import { createTierChain } from '../../edge/tiers/chain.ts';
import { createMemoryTier } from '../../edge/tiers/memory.ts';
import { createFailoverAndHedge } from '../../edge/upstream/failover-and-hedge.ts';
import { createRouting } from '../../edge/upstream/routing.ts';
import { MAX_KEYS_PER_CALL } from '../../origin/bigtable/recommendation-table.ts';
import { makeEntry } from '../../shared/caching/lifetime.ts';
import { MIN_GENERATION } from '../../shared/domain/generation.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { createCounters } from '../../shared/runtime/counters.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { findEntryBytes, TRACE_ENTRY } from '../support/sized-tier.ts';

export interface RegionReplay {
  /** Reads the lists of these users concurrently; the isolates take turns. */
  read(users: readonly number[]): Promise<void>;
  readonly counted: {
    reads: number;
    /** Keys that isolates requested from the region. */
    regionReads: number;
    /** Keys that the region requested from its origin, one row each. */
    rows: number;
    /** lists:read calls with these keys. */
    originCalls: number;
    /** ReadRows calls of the origin for them. */
    bigtableCalls: number;
  };
}

interface ReplayOptions {
  readonly isolates: number;
  readonly entriesPerIsolate: number;
  readonly shards: number;
  /** Entries of all shards together. */
  readonly regionEntries: number;
}

const REGION: Region = { name: 'r', origin: 'http://127.0.0.1', locationHint: 'weur', latitude: 0, longitude: 0 };
/** Any value works: the clock does not advance. */
const TTL_SECONDS = 3_600;
const TIMEOUT_MS = 10_000;
const never = (): number => 0;

/** Eight characters for every int32, so that all entries have the same size. */
const makeRequest = (user: number): ListRequest => ({
  key: {
    surface: toName('s'),
    variant: toName('v'),
    generation: MIN_GENERATION,
    user: toUserId((user >>> 0).toString(16).padStart(8, '0')),
  },
  ttlSeconds: TTL_SECONDS,
  notBeforeMs: 0,
});

export async function createRegionReplay(options: ReplayOptions): Promise<RegionReplay> {
  const { isolates: isolateCount, entriesPerIsolate, shards, regionEntries } = options;
  const clock = createManualClock();
  const counters = createCounters();
  const log = { warn: () => {}, error: () => {} };
  const entryBytes = await findEntryBytes(makeCacheKey(makeRequest(0).key));
  const counted = { reads: 0, regionReads: 0, rows: 0, originCalls: 0, bigtableCalls: 0 };
  const common = { clock, random: never, counters, isFenced: () => false, loadTimeoutMs: TIMEOUT_MS };

  const origin: RegionReader = {
    read: async ({ name }, requests) => {
      counted.rows += requests.length;
      counted.originCalls++;
      counted.bigtableCalls += Math.ceil(requests.length / MAX_KEYS_PER_CALL);
      // All concurrent requests have arrived by then.
      await new Promise((resolve) => setImmediate(resolve));
      const entry = makeEntry(TRACE_ENTRY.value, TTL_SECONDS, { storedAtMs: clock.now(), loadMs: 0 }, never);
      return requests.map(() => ({ kind: 'entry', entry, isFromCache: false, regions: [{ region: name }] }));
    },
  };

  const builds = createBuilds(counters);
  const objects = new Map<string, RegionLists>();
  function findObject(name: string): RegionLists {
    const known = objects.get(name);
    if (known !== undefined) return known;
    const memory = createMemoryTier({ name: 'region', maxBytes: Math.floor(regionEntries / shards) * entryBytes });
    const object = createRegionLists({ region: REGION, memory, origin, builds, openTrace: neverTraced, ...common });
    objects.set(name, object);
    return object;
  }

  const isolates = Array.from({ length: isolateCount }, () =>
    createReadThrough({
      tiers: createTierChain({
        nearest: createMemoryTier({ name: 'isolate', maxBytes: entriesPerIsolate * entryBytes }),
        others: [],
        clock,
        counters,
        side: 'edge',
      }),
      source: createFailoverAndHedge({
        reader: createRegionObjects({
          find: (name) => ({
            read: (call) => findObject(name).read(call, () => {}),
            cancel: async (id) => findObject(name).cancel(id),
          }),
          shards,
          origin,
          clock,
          counters,
          log,
          builds,
          answers: createObjectAnswers(),
          timeoutMs: TIMEOUT_MS,
        }),
        routing: createRouting({ regions: [REGION], clock, random: common.random, counters, log }),
        clock,
        counters,
        probeTimeoutMs: TIMEOUT_MS,
      }),
      side: 'edge',
      callers: 'requests',
      ...common,
    }),
  );

  const makeCall = (): Call => ({
    deadlineAtMs: clock.now() + TIMEOUT_MS,
    regions: [REGION],
    place: NOWHERE,
    failedRegions: new Set(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: () => {},
  });

  return {
    counted,
    read: async (users) => {
      await Promise.all(
        users.map((user) => isolates[counted.reads++ % isolateCount]?.read([makeRequest(user)], makeCall())),
      );
      counted.regionReads = counters.get('region_reads_total');
    },
  };
}
