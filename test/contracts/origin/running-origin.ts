// An origin for one test: the real one, on a free port, in front of an embedded Bigtable. Its clock is manual. The
// test's end drains it.
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import type { BigtableAddress } from '../../../origin/bigtable/connection.ts';
import { type OriginConfig, readOriginConfig } from '../../../origin/config.ts';
import { type Origin, startOrigin } from '../../../origin/server.ts';
import { NO_TRACING, type Tracing } from '../../../origin/tracing/request-trace.ts';
import { ORIGIN_AUDIENCE } from '../../../shared/domain/identity.ts';
import { JSON_TYPE } from '../../../shared/wire/json-body.ts';
import { makeKeyId } from '../../../shared/wire/origin-token.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../shared/wire/read-request.ts';
import { eventually } from '../../support/waiting.ts';
import type { TestInstance } from './instance.ts';

export const SECRET = 'origin-secret-for-tests-only-0123456789-';

/** Environment of an origin's process in front of the instance of startInstance, without its Bigtable. */
export const ORIGIN_ENVIRONMENT = {
  EARSHOT_REGION: 'asia',
  EARSHOT_PROJECT: 'contract',
  EARSHOT_INSTANCE: 'recs',
  EARSHOT_ORIGIN_SECRET: SECRET,
  EARSHOT_DRAIN_DELAY_MS: '0',
  HOST: '127.0.0.1',
  PORT: '0',
} as const;

export interface RunningOrigin {
  readonly origin: Origin;
  readonly clock: ManualClock;
  /** Without a token. */
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** The same at the port of the metrics. Default: the metrics. */
  scrape(path?: string): Promise<Response>;
  /** With the edge's token, as `manifest`. */
  readLists(keys: readonly object[], headers?: Record<string, string>): Promise<Response>;
  manifest(headers?: Record<string, string>): Promise<Response>;
  /** Polls the manifest once more. */
  poll(): Promise<void>;
}

/** The event loop of an idle process. */
export const IDLE_LOOP = { utilization: 0, lagMs: 0 };

export const originConfig = ({ project, instance, emulatorHost = '' }: BigtableAddress): OriginConfig =>
  readOriginConfig({
    EARSHOT_REGION: 'asia',
    EARSHOT_PROJECT: project,
    EARSHOT_INSTANCE: instance,
    EARSHOT_ORIGIN_SECRET: SECRET,
    BIGTABLE_EMULATOR_HOST: emulatorHost,
    PORT: '0',
    EARSHOT_METRICS_PORT: '0',
  });

export async function runOrigin(
  { address }: Pick<TestInstance, 'address'>,
  changes: Partial<OriginConfig> = {},
  tracing: Tracing = NO_TRACING,
): Promise<RunningOrigin> {
  const clock = createManualClock();
  const config: OriginConfig = { ...originConfig(address), ...changes };
  const origin = await startOrigin(config, {
    clock,
    logger: pino({ level: 'silent' }),
    loopLoad: () => IDLE_LOOP,
    tracing,
  });
  let drained: Promise<void> | undefined;
  const running = { ...origin, drain: () => (drained ??= origin.drain()) };
  onTestFinished(async () => {
    const draining = running.drain();
    clock.advance(config.drainDelayMs);
    await new Promise(setImmediate);
    clock.advance(config.drainTimeoutMs);
    await draining;
  });
  const { region } = config;
  const authorized = { authorization: `Bearer ${await mintOriginToken(clock, { region })}` };
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${origin.url}${path}`, { headers });
  return {
    origin: running,
    clock,
    get,
    scrape: (path = '/metrics') => fetch(`${origin.metricsUrl}${path}`),
    manifest: (headers) => get(MANIFEST_PATH, { ...authorized, ...headers }),
    readLists: (keys, headers) =>
      fetch(`${origin.url}${LISTS_READ_PATH}`, {
        method: 'POST',
        body: JSON.stringify({ keys }),
        headers: { ...authorized, 'content-type': JSON_TYPE, ...headers },
      }),
    poll: async () => {
      const polls = () => origin.counters.get('origin_manifest_polls_total');
      const before = polls();
      const waiting = clock.pending();
      clock.advance(config.manifestPollMs);
      await eventually(() => expect([polls() > before, clock.pending() >= waiting]).toEqual([true, true]));
    },
  };
}

export interface TokenChanges {
  readonly audience?: string;
  readonly secret?: string;
  /** Default: asia */
  readonly region?: string;
  /** Default: 300 */
  readonly lifetimeSeconds?: number;
}

/** The token of the edge. */
export async function mintOriginToken(
  clock: ManualClock,
  { audience = ORIGIN_AUDIENCE, secret = SECRET, region = 'asia', lifetimeSeconds = 300 }: TokenChanges = {},
): Promise<string> {
  const nowSeconds = Math.floor(clock.now() / 1000);
  return new SignJWT({ region })
    .setProtectedHeader({ alg: 'HS256', kid: await makeKeyId(secret) })
    .setAudience(audience)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + lifetimeSeconds)
    .sign(Buffer.from(secret));
}
