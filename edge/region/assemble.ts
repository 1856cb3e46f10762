// The composition root of a region object.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { EdgeConfig } from '../config.ts';
import { limitLog } from '../limited-log.ts';
import type { Platform } from '../platform.ts';
import { createReporter, type Reporter } from '../report/reporter.ts';
import { createTracing } from '../request/trace.ts';
import { createMemoryTier } from '../tiers/memory.ts';
import type { MemoryTier } from '../tiers/tier.ts';
import { createInternalTokens } from '../upstream/internal-token.ts';
import { createOriginClient, type OriginClient } from '../upstream/origin-client.ts';
import { createOriginReader } from '../upstream/origin-reader.ts';
import { createRegionLists, type RegionLists } from './region-lists.ts';

export const createRegionMemory = ({ regionCacheBytes }: EdgeConfig, clock: Clock): MemoryTier =>
  createMemoryTier({ name: 'region', maxBytes: regionCacheBytes, clock });

export interface RegionParts {
  readonly lists: RegionLists;
  readonly reporter: Reporter;
}

/**
 * The parts of one shard of `region`, through `ownClient` if it is given. Throws an Error if the configuration has no
 * region of that name.
 */
export function assembleRegion(
  config: EdgeConfig,
  region: string,
  memory: MemoryTier,
  platform: Platform,
  ownClient?: OriginClient,
): RegionParts {
  const found = config.regions.find(({ name }) => name === region);
  if (found === undefined) throw new Error(`expected one of the configured regions, got "${region}"`);
  const { clock, random, counters, builds } = platform;
  const log = limitLog(platform.log, clock);
  const client = ownClient ?? createRegionClient(config, { ...platform, log }, memory);
  const lists = createRegionLists({
    region: found,
    memory,
    origin: createOriginReader({ client, clock, random, log }),
    clock,
    random,
    counters,
    builds,
    openTrace: createTracing(platform.tracing, config.traceRatio),
    loadTimeoutMs: config.originTimeoutMs,
  });
  const reporter = createReporter({
    ...platform,
    client,
    regions: () => [found, ...config.regions.filter((other) => other !== found)],
    everyMs: config.reportSeconds * 1000,
    timeoutMs: config.originTimeoutMs,
  });
  return { lists, reporter };
}

const createRegionClient = (
  config: EdgeConfig,
  { fetch, clock, counters, inFlight, log, builds }: Platform,
  { residenceMs }: MemoryTier,
): OriginClient =>
  createOriginClient({
    ...(residenceMs === undefined ? {} : { residenceMs }),
    fetch,
    clock,
    counters,
    side: 'region',
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
