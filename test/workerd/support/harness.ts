// The worker's app on a manual clock, with scripted origins and workerd's real Cache API under a host of its own.

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import { createApp } from '../../../edge/app.ts';
import { createDeps } from '../../../edge/assemble.ts';
import { createBuilds } from '../../../edge/builds.ts';
import { type EdgeConfig, readConfig } from '../../../edge/config.ts';
import type { Bucket } from '../../../edge/exposures/archive.ts';
import type { ExposureSink } from '../../../edge/exposures/sink.ts';
import type { RateLimiter } from '../../../edge/limits/location-limit.ts';
import type { LogFields } from '../../../edge/log.ts';
import { IN_FLIGHT_BYTES } from '../../../edge/platform.ts';
import type { FindObject } from '../../../edge/region/region-objects.ts';
import { createUnreported } from '../../../edge/report/unreported.ts';
import type { PlatformTracing } from '../../../edge/request/trace.ts';
import { type ByteAccount, createByteAccount } from '../../../shared/runtime/byte-account.ts';
import { type Counters, createCounters } from '../../../shared/runtime/counters.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import { registerRegionCaches } from './harness-region-cache.ts';
import { makeManifest } from './lists.ts';
import { createScriptedOrigins, type ScriptedOrigins } from './scripted-origins.ts';
import { ORIGIN_SECRET, signToken, TOKEN_SECRET, type TokenOptions } from './tokens.ts';

export const TEST_REGIONS = [
  { name: 'asia', origin: 'https://asia.test', locationHint: 'apac', latitude: 35.69, longitude: 139.69 },
  { name: 'europe', origin: 'https://europe.test', locationHint: 'weur', latitude: 50.45, longitude: 3.82 },
  { name: 'us', origin: 'https://us.test', locationHint: 'enam', latitude: 41.26, longitude: -95.86 },
];

/** One region, without failover and hedging: reads wait for it. */
export const ONE_REGION = { REGIONS: JSON.stringify(TEST_REGIONS.slice(0, 1)) };

/** Without region objects: they have tests of their own. */
export const TEST_ENV = {
  ENVIRONMENT: 'local',
  REGIONS: JSON.stringify(TEST_REGIONS),
  TOKEN_SECRET,
  ORIGIN_SECRET,
  REGION_TIER: 'off',
  // Tests advance the clock by days, with the same token.
  TOKEN_MAX_LIFETIME_SECONDS: '31536000',
  // Off: it has tests of its own, and other tests would have to count its calls.
  POPULAR_WARM_SECONDS: '0',
  // As above.
  REPORT_SECONDS: '0',
};

export interface GetOptions extends Partial<TokenOptions> {
  /** Instead of a signed token; null for no token. */
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly body?: BodyInit;
  /** Host of the URL. Default: that of the harness's data centre. */
  readonly host?: string | undefined;
  readonly signal?: AbortSignal;
  readonly cf?: { latitude?: string; longitude?: string; country?: string };
}

/** One isolate of the worker. */
export interface Isolate {
  /** Answers, and waits for the request's background work. */
  get(path: string, options?: GetOptions): Promise<Response>;
  /** Answers; background work may continue. */
  send(path: string, options?: GetOptions): Promise<Response>;
}

export interface Harness extends Isolate {
  readonly clock: ManualClock;
  readonly counters: Counters;
  readonly inFlight: ByteAccount;
  readonly origins: ScriptedOrigins;
  readonly logs: { event: string; fields: LogFields }[];
  readonly config: EdgeConfig;
  readonly keyOrigin: string;
  /**
   * Another isolate in its own data centre, with the same clock, origins and region objects. `env` replaces variables
   * of this isolate alone, as another version of the worker does: objects keep theirs.
   */
  addIsolate(env?: object): Isolate;
  /** Clears the isolate's memory; the data centre's cache remains. */
  loseIsolate(): void;
}

const signedWith = ({ TOKEN_SECRET: secret }: { TOKEN_SECRET?: string }) => (secret === undefined ? {} : { secret });

interface HarnessOptions {
  readonly env?: object;
  readonly openCache?: () => Promise<Cache>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Another harness in the same data centre. Default: a new data centre. */
  readonly keyOrigin?: string;
  /** Random number from 0 to 1. Default: always 0, so that lifetimes are whole and no entry is refreshed early. */
  readonly random?: () => number;
  /** Lookup of region objects. Default: REGION_CACHE's, with the harness's clock and origins, if REGION_TIER is on. */
  readonly findObject?: (found: FindObject) => FindObject | undefined;
  /** The rate-limit binding. Default: none. */
  readonly limiter?: RateLimiter;
  /** Default: none. */
  readonly exposureSink?: ExposureSink;
  /** Default: none. */
  readonly archive?: Bucket;
  /** Default: no request is recorded. */
  readonly tracing?: PlatformTracing;
}

let harnesses = 0;

export function createHarness(options: HarnessOptions = {}): Harness {
  const {
    env = {},
    openCache = () => caches.open('test'),
    fetch,
    random = () => 0,
    findObject = (found) => found,
    keyOrigin = `https://edge-${harnesses++}.test`,
    limiter,
    exposureSink,
    archive,
    tracing,
  } = options;
  const clock = createManualClock();
  const counters = createCounters();
  const origins = createScriptedOrigins(makeManifest(), clock);
  const logs: Harness['logs'] = [];
  const keep = (event: string, fields: LogFields): void => {
    logs.push({ event, fields });
  };
  // Outside the local cloud the secrets of tests are refused.
  const isLocal = !('ENVIRONMENT' in env) || env.ENVIRONMENT === 'local';
  const secrets = isLocal ? {} : { TOKEN_SECRET: makeRandomSecret(), ORIGIN_SECRET: makeRandomSecret() };
  const config = readConfig({ ...TEST_ENV, ...secrets, ...env });
  const log = { warn: keep, error: keep };
  const inFlight = createByteAccount({ clock, maxBytes: IN_FLIGHT_BYTES, maxAgeMs: 90_000 });
  const platform = {
    clock,
    random,
    counters,
    builds: createBuilds(counters),
    unreported: createUnreported(counters),
    inFlight,
    log,
    fetch: fetch ?? origins.fetch,
    tracing,
  };
  const objects = findObject(registerRegionCaches(`harness-${harnesses++}`, { config, platform }));
  const build = (colo: string, ownConfig = config) =>
    createApp(
      createDeps(ownConfig, {
        ...platform,
        openCache,
        keyOrigin: colo,
        findObject: objects,
        limiter,
        exposureSink,
        archive,
      }),
    );
  let app = build(keyOrigin);

  async function send(
    path: string,
    options: GetOptions,
    context: ExecutionContext,
    isolate: typeof app,
  ): Promise<Response> {
    const {
      authorization,
      headers: own = {},
      method = 'GET',
      body = null,
      signal = null,
      cf,
      host,
      ...token
    } = options;
    const headers = new Headers(own);
    const bearer =
      authorization === undefined
        ? `Bearer ${await signToken({ nowMs: clock.now(), ...signedWith(secrets), ...token })}`
        : authorization;
    if (bearer !== null) headers.set('authorization', bearer);
    const request = new Request(`${host === undefined ? keyOrigin : `https://${host}`}${path}`, {
      method,
      headers,
      body,
      signal,
      ...(cf === undefined ? {} : { cf }),
    });
    return isolate.fetch(request, {}, context);
  }

  const isolateOf = (isolate: () => typeof app): Isolate => ({
    get: async (path, options = {}) => {
      const context = createExecutionContext();
      const response = await send(path, options, context, isolate());
      // A large body is sent behind the answer, which would wait for its reader.
      const body = response.body === null ? null : await response.arrayBuffer();
      await waitOnExecutionContext(context);
      return new Response(body, response);
    },
    send: (path, options = {}) => send(path, options, createExecutionContext(), isolate()),
  });

  return {
    clock,
    counters,
    inFlight,
    origins,
    logs,
    config,
    keyOrigin,
    ...isolateOf(() => app),
    addIsolate: (own = {}) => {
      const ownConfig = readConfig({ ...TEST_ENV, ...secrets, ...env, ...own });
      const added = build(`https://edge-${harnesses++}.test`, ownConfig);
      return isolateOf(() => added);
    },
    loseIsolate: () => {
      app = build(keyOrigin);
    },
  };
}
