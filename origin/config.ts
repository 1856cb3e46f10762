// The origin's configuration, read from the environment once at the start. An invalid value ends the process with one
// line that names it.
import { z } from 'zod';
import { describeFaults, expected, makeSecret, text, wholeNumber } from '../shared/config/variables.ts';
import { NAME_GRAMMAR, NAME_PATTERN } from '../shared/domain/ids.ts';
import { DEFAULT_LIST_MAX_AGE_DAYS, MAX_LIST_MAX_AGE_DAYS } from '../shared/domain/list.ts';
import { BUILD_PATTERN } from '../shared/wire/heartbeat.ts';
import { APP_PROFILES, makeServeProfile } from './bigtable/app-profiles.ts';
import { EMULATOR_HOST_PATTERN } from './bigtable/connection.ts';
import { DAY_MS, DEFAULT_CALLS_PER_BATCH_KEY, DEFAULT_CHANNELS } from './bigtable/recommendation-table.ts';

/** An address of a collector, as OpenTelemetry's exporters read it. */
const collector = z.url({ protocol: /^https?$/, ...expected('an http or https URL') }).optional();

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/**
 * The schema of each variable. An origin in front of an emulator may have a weak secret: it serves nothing of
 * production, whatever else its environment says.
 */
const makeVariables = (isLocal: boolean) => ({
  /** Name of the region that this process serves. */
  EARSHOT_REGION: z.string(expected(NAME_GRAMMAR)).regex(NAME_PATTERN, expected(NAME_GRAMMAR)),
  EARSHOT_PROJECT: text,
  EARSHOT_INSTANCE: text,
  /** Key of the edge's tokens, shared with the edge. */
  EARSHOT_ORIGIN_SECRET: makeSecret({ isLocal }),
  /** A second accepted key, while the secret is changed. Default: none. */
  EARSHOT_ORIGIN_SECRET_PREVIOUS: makeSecret({ isLocal }).optional(),
  /** App profile of the reads. Default: `serve-` and the region. */
  EARSHOT_APP_PROFILE: text.optional(),
  /** App profile of hedges, and of all calls while the local cluster is ejected. `off`: neither. Default: serve-any. */
  EARSHOT_HEDGE_APP_PROFILE: text.default(APP_PROFILES.any),
  /** Number of connections to Bigtable. Default: 2. */
  EARSHOT_BIGTABLE_CHANNELS: wholeNumber(1, 32).default(DEFAULT_CHANNELS),
  /** ReadRows calls of one surface, variant and generation in flight. Default: 2. */
  EARSHOT_BIGTABLE_CALLS: wholeNumber(1, 100).default(DEFAULT_CALLS_PER_BATCH_KEY),
  BIGTABLE_EMULATOR_HOST: z.string().regex(EMULATOR_HOST_PATTERN, expected('host:port')).optional(),
  /** Default: 127.0.0.1. */
  HOST: text.default('127.0.0.1'),
  /** 0: any free port. Default: 8080. */
  PORT: wholeNumber(0, 65_535).default(8080),
  /** Maximum number of open connections. Further ones are refused. Default: 4096. */
  EARSHOT_MAX_CONNECTIONS: wholeNumber(16, 1_000_000).default(4096),
  /** Address of EARSHOT_METRICS_PORT. Default: 127.0.0.1. */
  EARSHOT_METRICS_HOST: text.default('127.0.0.1'),
  /** A port of this process alone, for scrapes and health checks. 0: any free port. Default: none, metrics are off. */
  EARSHOT_METRICS_PORT: wholeNumber(0, 65_535).optional(),
  /** `on`: other processes may listen on the same port (SO_REUSEPORT, Linux), one per core. Default: off. */
  EARSHOT_REUSE_PORT: z.enum(['on', 'off'], expected('on or off')).default('off'),
  /** Base address of a collector of spans (OTLP over HTTP). Default: none, requests are not recorded. */
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  /** The whole address for spans, instead of the base address. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector,
  LOG_LEVEL: z.enum(LOG_LEVELS, expected(LOG_LEVELS.join(', '))).default('info'),
  /** Milliseconds between two reads of the manifest. Default: 2000. */
  EARSHOT_MANIFEST_POLL_MS: wholeNumber(10, 60_000).default(2000),
  /** Maximum milliseconds for one read; the caller's deadline may be shorter. Default: 2000. */
  EARSHOT_READ_TIMEOUT_MS: wholeNumber(1, 60_000).default(2000),
  /** Days. Lists of older generations are not read. Default: 30. */
  EARSHOT_LIST_MAX_AGE_DAYS: wholeNumber(1, MAX_LIST_MAX_AGE_DAYS).default(DEFAULT_LIST_MAX_AGE_DAYS),
  /** Name of the build in heartbeats, beside the version of the package. Default: none. */
  EARSHOT_BUILD: z.string().regex(BUILD_PATTERN, expected('up to 64 of A-Z a-z 0-9 . -')).optional(),
  /** Bytes of memory for lists; 0 keeps none. Default: 268435456 (256 MiB). */
  EARSHOT_LIST_CACHE_BYTES: wholeNumber(0, 1_099_511_627_776).default(268_435_456),
  /** Bytes of memory for items; 0 keeps none. Default: 67108864 (64 MiB). */
  EARSHOT_ITEM_CACHE_BYTES: wholeNumber(0, 1_099_511_627_776).default(67_108_864),
  /** Milliseconds from SIGTERM until the process stops listening: load balancers see readyz first. Default: 5000. */
  EARSHOT_DRAIN_DELAY_MS: wholeNumber(0, 60_000).default(5000),
  /** Maximum milliseconds for requests in flight after that. Default: 10000. */
  EARSHOT_DRAIN_TIMEOUT_MS: wholeNumber(0, 600_000).default(10_000),
});

/** The names of all variables. */
export const ORIGIN_VARIABLES: readonly string[] = Object.keys(makeVariables(false));

export type OriginConfig = Readonly<ReturnType<typeof toConfig>>;

/** Throws an Error with a line per invalid variable, without secrets. */
export function readOriginConfig(env: Readonly<Record<string, string | undefined>>): OriginConfig {
  const isLocal = env.BIGTABLE_EMULATOR_HOST !== undefined;
  const result = z.object(makeVariables(isLocal)).safeParse(env);
  if (!result.success) throw new Error(describeFaults(result.error, env).reasons.join('\n'));
  return toConfig(result.data);
}

const toConfig = (values: z.infer<z.ZodObject<ReturnType<typeof makeVariables>>>) => ({
  region: values.EARSHOT_REGION,
  bigtable: {
    project: values.EARSHOT_PROJECT,
    instance: values.EARSHOT_INSTANCE,
    emulatorHost: values.BIGTABLE_EMULATOR_HOST,
  },
  appProfile: values.EARSHOT_APP_PROFILE ?? makeServeProfile(values.EARSHOT_REGION),
  /** Undefined: neither hedges nor failovers. */
  hedgeProfile: values.EARSHOT_HEDGE_APP_PROFILE === 'off' ? undefined : values.EARSHOT_HEDGE_APP_PROFILE,
  channels: values.EARSHOT_BIGTABLE_CHANNELS,
  callsPerBatchKey: values.EARSHOT_BIGTABLE_CALLS,
  originSecrets: [values.EARSHOT_ORIGIN_SECRET, values.EARSHOT_ORIGIN_SECRET_PREVIOUS].filter(
    (each) => each !== undefined,
  ),
  host: values.HOST,
  port: values.PORT,
  maxConnections: values.EARSHOT_MAX_CONNECTIONS,
  metricsHost: values.EARSHOT_METRICS_HOST,
  /** Undefined: no metrics. */
  metricsPort: values.EARSHOT_METRICS_PORT,
  reusePort: values.EARSHOT_REUSE_PORT === 'on',
  isTraced: (values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? values.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined,
  logLevel: values.LOG_LEVEL,
  manifestPollMs: values.EARSHOT_MANIFEST_POLL_MS,
  readTimeoutMs: values.EARSHOT_READ_TIMEOUT_MS,
  listMaxAgeMs: values.EARSHOT_LIST_MAX_AGE_DAYS * DAY_MS,
  build: values.EARSHOT_BUILD,
  listCacheBytes: values.EARSHOT_LIST_CACHE_BYTES,
  itemCacheBytes: values.EARSHOT_ITEM_CACHE_BYTES,
  drainDelayMs: values.EARSHOT_DRAIN_DELAY_MS,
  drainTimeoutMs: values.EARSHOT_DRAIN_TIMEOUT_MS,
});
