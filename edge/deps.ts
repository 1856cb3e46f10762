// Everything that lives as long as the isolate, built once from the configuration and the platform.
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import type { EdgeConfig } from './config.ts';
import { createIdentityVerifier, type IdentityVerifier } from './identity.ts';
import { createLadder, type ServeRead } from './ladder.ts';
import type { Log } from './log.ts';
import { createManifestStore, KEEP_MS, type ManifestStore } from './manifest-store.ts';
import { createListReader } from './read-list.ts';
import { createTierChain } from './tiers/chain.ts';
import { createColoTier } from './tiers/colo.ts';
import { createColoManifest } from './tiers/colo-manifest.ts';
import { createIsolateTier } from './tiers/isolate.ts';
import { createVerificationKeys } from './token-keys.ts';
import { createInternalToken } from './upstream/internal-token.ts';
import { createOriginClient, type Fetch } from './upstream/origin-client.ts';
import { createUpstream } from './upstream/read-lists.ts';

/** What the worker needs of the runtime, so that tests can stand in for it. */
export interface Platform {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly fetch: Fetch;
  readonly openCache: () => Promise<Cache>;
  /** Scheme and host under which things are kept in the data centre's cache. */
  readonly keyOrigin: string;
}

export interface EdgeDeps {
  readonly config: EdgeConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly identity: IdentityVerifier;
  readonly manifests: ManifestStore;
  readonly serveRead: ServeRead;
}

export function createDeps(config: EdgeConfig, platform: Platform): EdgeDeps {
  const { clock, counters, log, fetch } = platform;
  const client = createOriginClient({
    fetch,
    clock,
    counters,
    log,
    internalToken: createInternalToken({ secret: config.originSecret, clock }),
    timeoutMs: config.originTimeoutMs,
  });
  const tiers = createTierChain({
    tiers: [createIsolateTier({ maxBytes: config.isolateCacheBytes }), createColoTier(platform)],
    clock,
    counters,
  });
  const upstream = createUpstream({ client, clock, counters, log });
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
    manifests: createManifestStore({
      clock,
      counters,
      log,
      client,
      cache: createColoManifest({ ...platform, keepMs: KEEP_MS }),
    }),
    serveRead: createLadder({
      lists: createListReader({ tiers, upstream, clock, counters, flightAgeMs: config.requestDeadlineMs }),
      clock,
      counters,
    }),
  };
}
