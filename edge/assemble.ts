// The composition root of the worker: from the environment and the platform to the object that answers requests.
import { fenceReason } from '../shared/domain/effects/erasure-fence.ts';
import { createApp } from './app.ts';
import { buildOf } from './builds.ts';
import { type EdgeConfig, readConfig } from './config.ts';
import { answerNotConfigured } from './configuration-problem.ts';
import type { EdgeDeps } from './deps.ts';
import type { Bucket } from './exposures/archive.ts';
import { createExposureRef } from './exposures/keys.ts';
import { createExposureReceiver } from './exposures/receive.ts';
import { createQueueSink, type ExposureSink, type MessageQueue } from './exposures/sink.ts';
import { createExposureTokens } from './exposures/tokens.ts';
import { createIdentityVerifier } from './identity/identity.ts';
import { createVerificationKeys } from './identity/token-keys.ts';
import { limitLog } from './limited-log.ts';
import { createCallerCosts } from './limits/caller-costs.ts';
import { createLimits } from './limits/limits.ts';
import type { RateLimiter } from './limits/location-limit.ts';
import { consoleLog } from './log.ts';
import { createColoManifest } from './manifest/colo-cache.ts';
import { createManifestStore, KEEP_MS } from './manifest/store.ts';
import { type Platform, systemPlatform } from './platform.ts';
import { keyOriginOf } from './public-hosts.ts';
import { createReadThrough } from './reads/read-through.ts';
import type { RegionReader } from './reads/region-reader.ts';
import { createServeReads } from './reads/serve-reads.ts';
import { createShadow } from './reads/shadow.ts';
import { createUserRef } from './reads/user-ref.ts';
import { createObjectAnswers, type ObjectAnswers } from './region/object-answers.ts';
import type { RegionCache } from './region/region-cache.ts';
import { createRegionObjects, type FindObject } from './region/region-objects.ts';
import { createReporter } from './report/reporter.ts';
import { NOWHERE } from './request/place.ts';
import { createTracing, type PlatformTracing } from './request/trace.ts';
import { createRespondLarge } from './respond/large-answer.ts';
import { createTierChain } from './tiers/chain.ts';
import { createColoTier } from './tiers/colo.ts';
import { createMemoryTier } from './tiers/memory.ts';
import { createFailoverAndHedge } from './upstream/failover-and-hedge.ts';
import { createInternalTokens } from './upstream/internal-token.ts';
import { createOriginClient, type OriginClient } from './upstream/origin-client.ts';
import { createOriginReader } from './upstream/origin-reader.ts';
import { createRouting } from './upstream/routing.ts';

export type Answer = (request: Request, env: object, context: ExecutionContext) => Response | Promise<Response>;

/** The platform of the worker: besides the common part, the data centre's cache and the region objects. */
export interface WorkerPlatform extends Platform {
  readonly openCache: () => Promise<Cache>;
  /** Scheme and host of the keys in the data centre's cache. */
  readonly keyOrigin: string;
  /** Undefined without a binding to region objects. */
  readonly findObject: FindObject | undefined;
  /** The rate-limit binding. Default: none. */
  readonly limiter?: RateLimiter | undefined;
  /** The queue of exposures. Default: none. */
  readonly exposureSink?: ExposureSink | undefined;
  /** The archive of exposures. Default: none. */
  readonly archive?: Bucket | undefined;
}

/** The app. A worker cannot refuse to start, so with an invalid configuration every answer is a 503 problem. */
export function assemble(env: object, tracing?: PlatformTracing): Answer {
  try {
    const config = readConfig(env);
    systemPlatform.builds.setOwn(buildOf(env));
    const platform = {
      ...systemPlatform,
      tracing,
      openCache: () => caches.open('earshot'),
      keyOrigin: keyOriginOf(config.publicHosts),
      findObject: findObjectIn(env),
      limiter: (env as { RATE_LIMITER?: RateLimiter }).RATE_LIMITER,
      exposureSink: findSinkIn(env),
      archive: (env as { EXPOSURE_ARCHIVE?: Bucket }).EXPOSURE_ARCHIVE,
    };
    return createApp(createDeps(config, platform)).fetch;
  } catch (thrown) {
    return answerNotConfigured(thrown, consoleLog);
  }
}

function findObjectIn(env: object): FindObject | undefined {
  const { REGION_CACHE: namespace } = env as { REGION_CACHE?: DurableObjectNamespace<RegionCache> };
  if (namespace === undefined) return undefined;
  return (name, locationHint) => namespace.getByName(name, { locationHint });
}

function findSinkIn(env: object): ExposureSink | undefined {
  const { EXPOSURES: queue } = env as { EXPOSURES?: MessageQueue };
  return queue && createQueueSink(queue, systemPlatform.clock);
}

/** The objects that live as long as the isolate. */
export function createDeps(config: EdgeConfig, platform: WorkerPlatform): EdgeDeps {
  const { clock, random, counters, inFlight, fetch } = platform;
  const log = limitLog(platform.log, clock);
  const limited = { ...platform, log };
  const costs = createCallerCosts();
  const client = createEdgeClient(config, limited);
  const reads = createReads(config, limited, client);
  return {
    config,
    clock,
    counters,
    costs,
    limits: createLimits({ config: config.limits, clock, counters, costs, limiter: platform.limiter }),
    inFlight,
    builds: platform.builds,
    respondLarge: createRespondLarge({ clock, counters, inFlight }),
    log,
    openTrace: createTracing(platform.tracing, config.traceRatio),
    unreported: platform.unreported,
    identity: createIdentityVerifier({
      keys: createVerificationKeys(config.tokenKeys, { fetch, clock, random, counters, log }),
      audience: config.tokenAudience,
      issuer: config.tokenIssuer,
      rules: {
        userClaim: config.tokenUserClaim,
        requiredScopes: config.tokenRequiredScopes,
        targetingClaims: config.targetingClaims,
        maxLifetimeSeconds: config.tokenMaxLifetimeSeconds,
        serviceClaim: config.limits.serviceClaim,
      },
      clock,
      counters,
      log,
    }),
    ...reads,
    reporter: createReporter({
      ...platform,
      client,
      regions: () => reads.routing.regionsFor(NOWHERE),
      everyMs: config.reportSeconds * 1000,
      timeoutMs: config.requestDeadlineMs,
    }),
    ...createExposures(config, limited),
    archive: platform.archive,
  };
}

function createExposures(
  { hashKey, regions }: EdgeConfig,
  { clock, counters, log, exposureSink: sink }: WorkerPlatform,
): Pick<EdgeDeps, 'exposureTokens' | 'exposures'> {
  if (hashKey === undefined) return { exposureTokens: undefined, exposures: undefined };
  const userRef = createExposureRef(hashKey);
  const tokens = createExposureTokens({ hashKey, userRef, clock });
  const exposures = sink && createExposureReceiver({ tokens, userRef, sink, regions, clock, counters, log });
  return { exposureTokens: tokens, exposures };
}

/** The part of the worker that reads lists, without callers' identities. */
export function createReads(
  config: EdgeConfig,
  platform: WorkerPlatform,
  client: OriginClient,
): Pick<EdgeDeps, 'manifests' | 'objects' | 'serveReads' | 'serveCached' | 'routing' | 'shadow'> {
  const { clock, random, counters, log } = platform;
  const cache = createColoManifest({ ...platform, keepMs: KEEP_MS });
  const manifests = createManifestStore({
    clock,
    counters,
    log,
    client,
    cache,
    refreshTimeoutMs: config.requestDeadlineMs,
  });
  const routing = createRouting({ regions: config.regions, clock, random, counters, log });
  const origin = createOriginReader({ client, clock, random, log });
  const objects = createObjectAnswers();
  const nearest = createMemoryTier({ name: 'isolate', maxBytes: config.isolateCacheBytes });
  const lists = createReadThrough({
    tiers: createTierChain({ nearest, others: [createColoTier(platform)], clock, counters, side: 'edge' }),
    source: createFailoverAndHedge({
      reader: createRegionReader(config, origin, { ...platform, objects }),
      routing,
      clock,
      counters,
      probeTimeoutMs: config.originTimeoutMs,
    }),
    clock,
    random,
    counters,
    side: 'edge',
    isFenced: (key, startedAtMs) => {
      const manifest = manifests.peek();
      return manifest !== undefined && fenceReason(manifest, key, startedAtMs, clock.now()) !== undefined;
    },
    loadTimeoutMs: config.requestDeadlineMs,
    callers: 'requests',
  });
  const userRef = createUserRef(config.hashKey);
  const timeoutMs = config.originTimeoutMs;
  const shadow = createShadow({ origin, clock, random, counters, log, userRef, timeoutMs });
  const popularWarmMs = config.popularWarmSeconds * 1000;
  const popularTimeoutMs = config.requestDeadlineMs;
  return {
    manifests,
    objects,
    routing,
    shadow,
    ...createServeReads({ lists, shadow, regions: config.regions, clock, counters, popularWarmMs, popularTimeoutMs }),
  };
}

function createRegionReader(
  config: EdgeConfig,
  origin: RegionReader,
  platform: WorkerPlatform & { readonly objects: ObjectAnswers },
): RegionReader {
  const { clock, counters, log, builds, findObject, objects: answers } = platform;
  if (config.regionTier === 'off') return origin;
  if (findObject === undefined) {
    log.error('region_tier_missing', { expected: 'a Durable Object binding REGION_CACHE, or REGION_TIER=off' });
    return origin;
  }
  const { regionShards: shards, originTimeoutMs: timeoutMs } = config;
  return createRegionObjects({ find: findObject, shards, origin, clock, counters, log, builds, answers, timeoutMs });
}

const createEdgeClient = (
  config: EdgeConfig,
  { fetch, clock, counters, inFlight, log, builds }: Platform,
): OriginClient =>
  createOriginClient({
    fetch,
    clock,
    counters,
    side: 'edge',
    inFlight,
    log,
    builds,
    internalTokens: createInternalTokens({
      secret: config.originSecret,
      previousSecret: config.previousOriginSecret,
      clock,
    }),
    timeoutMs: config.originTimeoutMs,
  });
