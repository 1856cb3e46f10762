// Everything that lives as long as the isolate, or as a region's object, built once from the configuration and the platform.

import { whyFenced } from '../shared/domain/erasure-fence.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { CounterSide, Counters } from '../shared/runtime/counters.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { EdgeConfig } from './config.ts';
import { createIdentityVerifier, type IdentityVerifier } from './identity/identity.ts';
import { createVerificationKeys } from './identity/token-keys.ts';
import type { Log } from './log.ts';
import { createColoManifest } from './manifest/colo-cache.ts';
import { createManifestStore, KEEP_MS, type ManifestStore } from './manifest/store.ts';
import { createListReader } from './reads/read-through.ts';
import { createLadder, type ServeHeld, type ServeReads } from './reads/serve-reads.ts';
import { createRegionLists, type RegionLists } from './region/region-lists.ts';
import { createRegionObjects, type FindObject } from './region/region-objects.ts';
import { createTierChain } from './tiers/chain.ts';
import { createColoTier } from './tiers/colo.ts';
import { createMemoryTier } from './tiers/memory.ts';
import type { MemoryTier } from './tiers/tier.ts';
import { createRegions } from './upstream/failover-and-hedge.ts';
import { createInternalToken } from './upstream/internal-token.ts';
import { createOriginClient, type Fetch, type OriginClient } from './upstream/origin-client.ts';
import { createOriginLists } from './upstream/origin-reader.ts';
import type { RegionReader } from './upstream/region-reader.ts';
import { createRouting, type Routing } from './upstream/routing.ts';

/** What is needed of the runtime, so that tests can stand in for it. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
  readonly fetch: Fetch;
}

/** What the worker needs beside it. */
export interface WorkerPlatform extends Platform {
  readonly openCache: () => Promise<Cache>;
  /** Scheme and host under which things are kept in the data centre's cache. */
  readonly keyOrigin: string;
  /** Undefined where the worker has no objects to go to. */
  readonly findObject: FindObject | undefined;
}

export interface EdgeDeps {
  readonly config: EdgeConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly identity: IdentityVerifier;
  readonly manifests: ManifestStore;
  readonly routing: Routing;
  readonly serveReads: ServeReads;
  readonly serveHeld: ServeHeld;
}

export function createDeps(config: EdgeConfig, platform: WorkerPlatform): EdgeDeps {
  const { clock, counters, log, fetch } = platform;
  return {
    config,
    clock,
    counters,
    log,
    identity: createIdentityVerifier({
      keys: createVerificationKeys(config.tokenKeys, { fetch, clock, counters, log }),
      audience: config.tokenAudience,
      issuer: config.tokenIssuer,
      clock,
      counters,
    }),
    ...createReads(config, platform, createClient(config, platform, 'edge')),
  };
}

/** What reads lists, for whoever may: the manifest, and the ladder over the tiers and the regions. */
export function createReads(
  config: EdgeConfig,
  platform: WorkerPlatform,
  client: OriginClient,
): Pick<EdgeDeps, 'manifests' | 'serveReads' | 'serveHeld' | 'routing'> {
  const { clock, random, counters, log } = platform;
  const cache = createColoManifest({ ...platform, keepMs: KEEP_MS });
  const manifests = createManifestStore({ clock, counters, log, client, cache });
  const routing = createRouting({ regions: config.regions, clock, random, counters, log });
  const nearest = createMemoryTier({ name: 'isolate', maxBytes: config.isolateCacheBytes });
  const lists = createListReader({
    tiers: createTierChain({ nearest, others: [createColoTier(platform)], clock, counters, side: 'edge' }),
    source: createRegions({ reader: createRegionReader(config, client, platform), routing, clock, counters }),
    clock,
    random,
    counters,
    side: 'edge',
    isFenced: (key, startedAtMs) => {
      const manifest = manifests.peek();
      return manifest !== undefined && whyFenced(manifest, key, startedAtMs, clock.now()) !== undefined;
    },
    flightAgeMs: config.requestDeadlineMs,
  });
  return {
    manifests,
    routing,
    ...createLadder({ lists, clock, counters, popularWarmMs: config.popularWarmSeconds * 1000 }),
  };
}

export const createRegionMemory = ({ regionCacheBytes }: EdgeConfig): MemoryTier =>
  createMemoryTier({ name: 'region', maxBytes: regionCacheBytes });

/** Of the object of one shard of `region`. Throws an Error when the configuration has no region of that name. */
export function openRegion(
  config: EdgeConfig,
  region: string,
  memory: MemoryTier,
  platform: Platform,
  client = createClient(config, platform, 'region'),
): RegionLists {
  const found = config.regions.find(({ name }) => name === region);
  if (found === undefined) throw new Error(`expected one of the configured regions, got "${region}"`);
  const { clock, random, counters, log } = platform;
  return createRegionLists({
    region: found,
    memory,
    origin: createOriginLists({ client, clock, random, log }),
    clock,
    random,
    counters,
    flightAgeMs: config.originTimeoutMs,
  });
}

function createRegionReader(config: EdgeConfig, client: OriginClient, platform: WorkerPlatform): RegionReader {
  const { clock, random, counters, log, findObject } = platform;
  const origin = createOriginLists({ client, clock, random, log });
  if (config.regionTier === 'off') return origin;
  if (findObject === undefined) {
    log.error('region_tier_missing', { expected: 'a Durable Object binding REGION_CACHE, or REGION_TIER=off' });
    return origin;
  }
  const { regionShards: shards, originTimeoutMs: timeoutMs } = config;
  return createRegionObjects({ find: findObject, shards, origin, clock, counters, log, timeoutMs });
}

const createClient = (config: EdgeConfig, { fetch, clock, counters, log }: Platform, side: CounterSide): OriginClient =>
  createOriginClient({
    fetch,
    clock,
    counters,
    side,
    log,
    internalToken: createInternalToken({ secret: config.originSecret, clock }),
    timeoutMs: config.originTimeoutMs,
  });
