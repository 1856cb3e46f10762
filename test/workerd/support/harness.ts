// The worker's app on a manual clock, with scripted origins and the real Cache API of workerd under a host of its own.
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { createApp } from '../../../edge/app.ts';
import { type EdgeConfig, readConfig } from '../../../edge/config.ts';
import { createDeps } from '../../../edge/deps.ts';
import type { LogFields } from '../../../edge/log.ts';
import { createManualClock, type ManualClock } from '../../../shared/clock.ts';
import { type Counters, createCounters } from '../../../shared/counters.ts';
import { makeManifest } from './lists.ts';
import { createScriptedOrigins, type ScriptedOrigins } from './scripted-origins.ts';
import { ORIGIN_SECRET, signToken, TOKEN_SECRET, type TokenOptions } from './tokens.ts';

export const TEST_REGIONS = [
  { name: 'asia', origin: 'https://asia.test', locationHint: 'apac', latitude: 35.69, longitude: 139.69 },
  { name: 'europe', origin: 'https://europe.test', locationHint: 'weur', latitude: 50.45, longitude: 3.82 },
  { name: 'us', origin: 'https://us.test', locationHint: 'enam', latitude: 41.26, longitude: -95.86 },
];

export const TEST_ENV = { REGIONS: JSON.stringify(TEST_REGIONS), TOKEN_SECRET, ORIGIN_SECRET };

export interface GetOptions extends Partial<TokenOptions> {
  /** Instead of a signed token; null for no token at all. */
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly cf?: { latitude?: string; longitude?: string };
}

export interface Harness {
  readonly clock: ManualClock;
  readonly counters: Counters;
  readonly origins: ScriptedOrigins;
  readonly logs: { event: string; fields: LogFields }[];
  readonly config: EdgeConfig;
  readonly keyOrigin: string;
  /** Answers, and waits for the work that the request left in the background. */
  get(path: string, options?: GetOptions): Promise<Response>;
  /** Answers; the background work may go on. */
  send(path: string, options?: GetOptions): Promise<Response>;
  /** Forgets everything that lives in the isolate; the data centre's cache stays. */
  loseIsolate(): void;
}

interface HarnessOptions {
  readonly env?: object;
  readonly openCache?: () => Promise<Cache>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Of another harness, to be its neighbour in one data centre. Default: one of its own. */
  readonly keyOrigin?: string;
}

let harnesses = 0;

export function createHarness(options: HarnessOptions = {}): Harness {
  const {
    env = {},
    openCache = () => caches.open('test'),
    fetch,
    keyOrigin = `https://edge-${harnesses++}.test`,
  } = options;
  const clock = createManualClock();
  const counters = createCounters();
  const origins = createScriptedOrigins(makeManifest());
  const logs: Harness['logs'] = [];
  const keep = (event: string, fields: LogFields): void => {
    logs.push({ event, fields });
  };
  const config = readConfig({ ...TEST_ENV, ...env });
  const build = () =>
    createApp(
      createDeps(config, {
        clock,
        counters,
        log: { warn: keep, error: keep },
        fetch: fetch ?? origins.fetch,
        openCache,
        keyOrigin,
      }),
    );
  let app = build();

  async function send(path: string, options: GetOptions, context: ExecutionContext): Promise<Response> {
    const { authorization, headers: own = {}, method = 'GET', cf, ...token } = options;
    const headers = new Headers(own);
    const bearer =
      authorization === undefined ? `Bearer ${await signToken({ nowMs: clock.now(), ...token })}` : authorization;
    if (bearer !== null) headers.set('authorization', bearer);
    const request = new Request(`${keyOrigin}${path}`, { method, headers, ...(cf === undefined ? {} : { cf }) });
    return app.fetch(request, {}, context);
  }

  return {
    clock,
    counters,
    origins,
    logs,
    config,
    keyOrigin,
    get: async (path, options = {}) => {
      const context = createExecutionContext();
      const response = await send(path, options, context);
      await waitOnExecutionContext(context);
      return response;
    },
    send: (path, options = {}) => send(path, options, createExecutionContext()),
    loseIsolate: () => {
      app = build();
    },
  };
}
