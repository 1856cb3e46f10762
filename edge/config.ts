// The worker's configuration, read once per isolate. A worker cannot refuse to start, so one error names every wrong
// variable. It never contains the value of a secret.
import * as z from 'zod';
import { describeFaults, expected, got, makeSecret, share, text, wholeNumber } from '../shared/config/variables.ts';
import { describeIssues } from '../shared/domain/describe-issues.ts';
import { LISTENER_AUDIENCE } from '../shared/domain/identity.ts';
import { type Region, regionsSchema } from '../shared/domain/regions.ts';
import { EarshotError } from '../shared/wire/errors.ts';
import { findConflicts, hasTokenKeys, type RawVariables } from './config-conflicts.ts';
import { limitsSchema, toLimitsConfig } from './limits/config.ts';
import { isHostPattern } from './public-hosts.ts';

/**
 * The keys of listeners' tokens: a shared secret (HS256, for one machine), two during its change, or the identity
 * provider's published keys.
 */
export type TokenKeys =
  | { readonly mode: 'secret'; readonly secrets: readonly string[] }
  | { readonly mode: 'jwks'; readonly url: string };

/** The variables that `wrangler secret put` sets. wrangler.toml never holds them. */
export const SECRETS = [
  'TOKEN_SECRET',
  'TOKEN_SECRET_PREVIOUS',
  'ORIGIN_SECRET',
  'ORIGIN_SECRET_PREVIOUS',
  'HASH_KEY',
] as const;

/** The bindings of wrangler.toml. Each is optional: without one the worker turns its feature off and logs that. */
export const BINDINGS = [
  'EXPOSURE_ARCHIVE',
  'EXPOSURES',
  'RATE_LIMITER',
  'CF_VERSION_METADATA',
  'REGION_CACHE',
] as const;

export type EdgeConfig = Readonly<ReturnType<typeof toConfig>>;

/** Names every wrong variable, the value expected and the value found. */
export class ConfigurationError extends EarshotError {
  /** The variables without a value. `A or B` where one of them is enough. */
  readonly missing: readonly string[];
  readonly isLocal: boolean;

  constructor(reasons: readonly string[], { missing, isLocal }: { missing: readonly string[]; isLocal: boolean }) {
    super('not_configured', 'edge', `the worker's configuration is not valid: ${reasons.join('; ')}`);
    this.missing = missing;
    this.isLocal = isLocal;
  }
}

/** Throws a ConfigurationError. */
export function readConfig(env: object): EdgeConfig {
  const raw = env as RawVariables;
  const isLocal = raw.ENVIRONMENT === 'local';
  const result = z.object(makeVariables(isLocal)).safeParse(env);
  const faults = result.success ? { reasons: [], missing: [] } : describeFaults(result.error, raw);
  const conflicts = findConflicts(raw);
  if (!result.success || conflicts.length > 0) {
    const reasons = [...faults.reasons, ...conflicts];
    const missing = [...faults.missing, ...(hasTokenKeys(raw) ? [] : ['TOKEN_SECRET or TOKEN_JWKS_URL'])];
    throw new ConfigurationError(reasons, { missing, isLocal });
  }
  return toConfig(result.data);
}

const splitList = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const HTTPS_ONLY = 'expected https:// unless ENVIRONMENT is local';

const isHttp = (url: string): boolean => URL.canParse(url) && new URL(url).protocol === 'http:';

/** Fetch refuses a URL with credentials, and an error must not show them. */
function hasNoCredentials(url: string): boolean {
  const { username, password, hash } = new URL(url);
  return username === '' && password === '' && hash === '';
}

/** A scheme and a host, as the paths of origins are appended to it. */
const isBareOrigin = (url: string): boolean =>
  hasNoCredentials(url) && new URL(url).pathname === '/' && !/[?#]/.test(url);

const notBare = (input: unknown): string =>
  (input as Region[])
    .filter(({ origin }) => !isBareOrigin(origin))
    .map(({ name }) => name)
    .join(', ');

/** As a browser names it in `Origin`: a scheme, a host and no path. */
const isOrigin = (value: string): boolean =>
  /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;

const origins = z
  .string(expected('text'))
  .refine(
    (value) => splitList(value).every(isOrigin),
    expected('origins like https://player.example.com, separated by commas'),
  );

const HOSTS = 'hosts like recs.example.com, separated by commas; *.example.com for previews comes after the first one';

/** The first one is in keys, so it has to be one host. */
const areHosts = (hosts: readonly string[]): boolean => hosts.every(isHostPattern) && !hosts[0]?.startsWith('*');

const publicHosts = z
  .string(expected(HOSTS))
  .transform(splitList)
  .refine(areHosts, { error: ({ input }) => `expected ${HOSTS}, got ${got((input as string[]).join(','))}` });

/** RFC 6749, section 3.3: separated by spaces. A scope may hold a comma, and so may the name of a claim. */
const spaced = (what: string) =>
  z
    .string(expected(`${what} separated by spaces`))
    .regex(/^[ !#-[\]-~]*$/, expected(`${what} separated by spaces`))
    .transform((value) => value.split(' ').filter((each) => each !== ''));

/** A variable with JSON text that `schema` accepts. */
const jsonOf = <T>(schema: z.ZodType<T>, what: string) =>
  z.string(expected(`${what} as JSON text`)).transform((json, context): T => {
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      context.addIssue({ code: 'custom', message: `expected ${what} as JSON text, got ${got(json)}` });
      return z.NEVER;
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    context.addIssue({
      code: 'custom',
      message: `expected ${what}, got ${got(json)} (${describeIssues(parsed.error)})`,
    });
    return z.NEVER;
  });

const devLocations = z.record(
  z.string().regex(/^[A-Z]{3}$/, 'expected a code of three capital letters'),
  z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) }),
);

/** The schema of each variable. Only ENVIRONMENT=local allows http:// URLs and DEV_LOCATIONS. */
export function makeVariables(isLocal: boolean) {
  const needsHttps = { error: ({ input }: { input?: unknown }) => `${HTTPS_ONLY}, got ${got(input)}` };
  const isSecure = (url: string): boolean => isLocal || !isHttp(url);
  const secret = makeSecret({ isLocal });
  return {
    ENVIRONMENT: z
      .enum(['local', 'staging', 'production'], expected('local, staging or production'))
      .default('production'),
    PUBLIC_HOSTS: isLocal
      ? publicHosts.default([])
      : publicHosts.refine(({ length }) => length > 0, expected('at least one host')),
    REGIONS: jsonOf(regionsSchema, 'a list of regions')
      .refine((all) => all.every(({ origin }) => isBareOrigin(origin)), {
        error: ({ input }) => `expected origins without credentials, path or query, got another for ${notBare(input)}`,
        abort: true,
      })
      .refine((all) => all.every(({ origin }) => isSecure(origin)), {
        error: ({ input }) => `${HTTPS_ONLY}, got ${(input as Region[]).map(({ origin }) => origin).filter(isHttp)}`,
      }),
    TOKEN_SECRET: secret.optional(),
    TOKEN_SECRET_PREVIOUS: secret.optional(),
    TOKEN_JWKS_URL: z
      .url({ protocol: /^https?$/, ...expected('an http or https URL') })
      .refine(hasNoCredentials, {
        error: 'expected a URL without credentials and fragment, got one that has either',
        abort: true,
      })
      .refine(isSecure, needsHttps)
      .optional(),
    TOKEN_AUDIENCE: text.default(LISTENER_AUDIENCE),
    TOKEN_ISSUER: text.optional(),
    TOKEN_USER_CLAIM: text.default('sub'),
    TOKEN_MAX_LIFETIME_SECONDS: wholeNumber(60, 3_153_600_000).default(86_400),
    TOKEN_REQUIRED_SCOPES: spaced('scopes').default([]),
    TARGETING_CLAIMS: spaced('names of claims').default([]),
    ORIGIN_SECRET: secret,
    ORIGIN_SECRET_PREVIOUS: secret.optional(),
    HASH_KEY: secret.optional(),
    ISOLATE_CACHE_BYTES: wholeNumber(0, 104_857_600).default(33_554_432),
    MAX_ANSWER_BYTES: wholeNumber(65_536, 33_554_432).default(4_194_304),
    REGION_TIER: z.enum(['on', 'off'], expected('on or off')).default('on'),
    REGION_SHARDS: wholeNumber(1, 256).default(8),
    REGION_CACHE_BYTES: wholeNumber(0, 104_857_600).default(8_388_608),
    ORIGIN_TIMEOUT_MS: wholeNumber(1, 30_000).default(2000),
    REQUEST_DEADLINE_MS: wholeNumber(1, 60_000).default(5000),
    POPULAR_WARM_SECONDS: wholeNumber(0, 86_400).default(60),
    DEVICE_MAX_AGE_SECONDS: wholeNumber(0, 86_400).default(60),
    CORS_ORIGINS: origins
      .refine((value) => splitList(value).every(isSecure), needsHttps)
      .transform(splitList)
      .default([]),
    RATE_LIMITS: z.enum(['on', 'off'], expected('on or off')).default(isLocal ? 'off' : 'on'),
    LIMITS: jsonOf(limitsSchema, 'limits of callers').default(limitsSchema.parse({})),
    TRACE_RATIO: share.default(0),
    REPORT_SECONDS: wholeNumber(0, 3600).default(60),
    DEV_LOCATIONS: jsonOf(devLocations, 'places by data-centre code')
      .refine(() => isLocal, expected('no places unless ENVIRONMENT is local'))
      .optional(),
  };
}

type Variables = z.infer<z.ZodObject<ReturnType<typeof makeVariables>>>;

const toConfig = (vars: Variables) => ({
  isLocal: vars.ENVIRONMENT === 'local',
  /** Hosts that the worker answers for. Keys use the first one. Empty in the local cloud: any host. */
  publicHosts: vars.PUBLIC_HOSTS,
  regions: vars.REGIONS,
  tokenKeys: tokenKeysOf(vars),
  /** Default: `earshot`. */
  tokenAudience: vars.TOKEN_AUDIENCE,
  /** Default: any issuer. */
  tokenIssuer: vars.TOKEN_ISSUER,
  /** The claim of a token with the user's id. Default: `sub`. */
  tokenUserClaim: vars.TOKEN_USER_CLAIM,
  /** Maximum seconds from a token's `iat`, or from now, to its `exp`, 60 to 3 153 600 000. Default: 86 400. */
  tokenMaxLifetimeSeconds: vars.TOKEN_MAX_LIFETIME_SECONDS,
  /** Scopes that a token needs to read any list. Default: none. */
  tokenRequiredScopes: vars.TOKEN_REQUIRED_SCOPES,
  /** Claims of a listener's token that experiments may target. Default: none. */
  targetingClaims: vars.TARGETING_CLAIMS,
  /** Signs the worker's token for origins. At least MIN_SECRET_BYTES bytes, and different from TOKEN_SECRET. */
  originSecret: vars.ORIGIN_SECRET,
  /** Signs it for an origin that refuses the other one, while the secret is changed. Default: none. */
  previousOriginSecret: vars.ORIGIN_SECRET_PREVIOUS,
  /** The key of users' references in logs and records. Default: log lines have no reference. */
  hashKey: vars.HASH_KEY,
  /** Maximum bytes of lists in one isolate, 0 to 100 MiB. Default: 32 MiB. */
  isolateCacheBytes: vars.ISOLATE_CACHE_BYTES,
  /** Maximum bytes of the body of one answer, 64 KiB to 32 MiB. Default: 4 MiB. */
  maxAnswerBytes: vars.MAX_ANSWER_BYTES,
  /** `off`: the worker calls origins directly, and loads are coalesced within an isolate only. Default: `on`. */
  regionTier: vars.REGION_TIER,
  /** Number of Durable Objects that share the users of one region, 1 to 256. A change moves few users. Default: 8. */
  regionShards: vars.REGION_SHARDS,
  /** Maximum bytes of lists in one such object, 0 to 100 MiB. Several can share an isolate. Default: 8 MiB. */
  regionCacheBytes: vars.REGION_CACHE_BYTES,
  /**
   * Maximum duration of one call to an origin in milliseconds, 1 to 30 000; less if other regions need the time.
   * Default: 2000.
   */
  originTimeoutMs: vars.ORIGIN_TIMEOUT_MS,
  /** Maximum duration of a request with all its failovers in milliseconds, 1 to 60 000. Default: 5000. */
  requestDeadlineMs: vars.REQUEST_DEADLINE_MS,
  /** Seconds between two warm-ups of a popular list, 0 to 86 400. 0 disables them. Default: 60. */
  popularWarmSeconds: vars.POPULAR_WARM_SECONDS,
  /** Maximum age of an answer on the listener's device in seconds, 0 to 86 400. Default: 60. */
  deviceMaxAgeSeconds: vars.DEVICE_MAX_AGE_SECONDS,
  /** Origins whose pages may read answers in a browser, separated by commas. Default: none, and no CORS at all. */
  corsOrigins: vars.CORS_ORIGINS,
  /** Limits of callers (docs/limits.md). */
  limits: toLimitsConfig(vars.RATE_LIMITS === 'on', vars.LIMITS),
  /** Share of the requests that the platform records whose steps get spans, 0 to 1. Default: 0, no tracing. */
  traceRatio: vars.TRACE_RATIO,
  /** Seconds between two reports of an isolate's counters to an origin, 0 to 3600. 0 disables them. Default: 60. */
  reportSeconds: vars.REPORT_SECONDS,
  /** Places that `Earshot-Dev-Location` may name; undefined outside the local cloud. */
  devLocations: vars.DEV_LOCATIONS,
});

function tokenKeysOf({ TOKEN_SECRET, TOKEN_SECRET_PREVIOUS, TOKEN_JWKS_URL: url = '' }: Variables): TokenKeys {
  if (TOKEN_SECRET === undefined) return { mode: 'jwks', url };
  const secrets = [TOKEN_SECRET, TOKEN_SECRET_PREVIOUS].filter((each) => each !== undefined);
  return { mode: 'secret', secrets };
}
