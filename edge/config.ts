// The worker's configuration, read once per isolate. A worker cannot refuse to start, so one error names every wrong variable. It never
// contains the value of a secret.
import * as z from 'zod';
import { LISTENER_AUDIENCE, MIN_SECRET_BYTES, ORIGIN_AUDIENCE } from '../shared/domain/identity.ts';
import { type Coordinates, type Region, regionsSchema } from '../shared/domain/regions.ts';
import { encodeUtf8 } from '../shared/runtime/bytes.ts';
import { EarshotError } from '../shared/wire/errors.ts';

/** The keys of listeners' tokens: one shared secret (HS256, for one machine), or the identity provider's published keys. */
export type TokenKeys =
  | { readonly mode: 'secret'; readonly secret: string }
  | { readonly mode: 'jwks'; readonly url: string };

export interface EdgeConfig {
  readonly regions: readonly Region[];
  readonly tokenKeys: TokenKeys;
  /** Default: `earshot`. */
  readonly tokenAudience: string;
  /** Default: any issuer. */
  readonly tokenIssuer: string | undefined;
  /** Signs the worker's token for origins. At least MIN_SECRET_BYTES bytes, and different from TOKEN_SECRET. */
  readonly originSecret: string;
  /** Maximum bytes of lists in one isolate, 0 to 100 MiB. Default: 32 MiB. */
  readonly isolateCacheBytes: number;
  /** `off`: the worker calls origins directly, and loads are coalesced within an isolate only. Default: `on`. */
  readonly regionTier: 'on' | 'off';
  /** Number of Durable Objects that share the users of one region, 1 to 256. A change moves few users. Default: 8. */
  readonly regionShards: number;
  /** Maximum bytes of lists in one such object, 0 to 100 MiB. Several can share an isolate. Default: 8 MiB. */
  readonly regionCacheBytes: number;
  /** Maximum duration of one call to an origin in milliseconds, 1 to 30 000; less if other regions need the time. Default: 2000. */
  readonly originTimeoutMs: number;
  /** Maximum duration of a request with all its failovers in milliseconds, 1 to 60 000. Default: 5000. */
  readonly requestDeadlineMs: number;
  /** Seconds between two warm-ups of a popular list, 0 to 86 400. 0 disables them. Default: 60. */
  readonly popularWarmSeconds: number;
  /** Maximum age of an answer on the listener's device in seconds, 0 to 86 400. Default: 60. */
  readonly deviceMaxAgeSeconds: number;
  /** Origins whose pages may read answers in a browser, separated by commas. Default: none, and no CORS at all. */
  readonly corsOrigins: readonly string[];
  /** Places that `Earshot-Dev-Location` may name; undefined outside the local cloud. */
  readonly devLocations: Readonly<Record<string, Coordinates>> | undefined;
}

/** Reads `env`. Throws an EarshotError that names each wrong variable, the expected form and the received value. */
export function readConfig(env: object): EdgeConfig {
  const result = envSchema.safeParse(env);
  if (!result.success) {
    const reasons = result.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${String(path[0])}: ${message}` : message,
    );
    throw new EarshotError('internal', 'edge', `the worker's configuration is not valid: ${reasons.join('; ')}`);
  }
  const vars = result.data;
  return {
    regions: vars.REGIONS,
    tokenKeys:
      vars.TOKEN_SECRET === undefined
        ? { mode: 'jwks', url: vars.TOKEN_JWKS_URL ?? '' }
        : { mode: 'secret', secret: vars.TOKEN_SECRET },
    tokenAudience: vars.TOKEN_AUDIENCE,
    tokenIssuer: vars.TOKEN_ISSUER,
    originSecret: vars.ORIGIN_SECRET,
    isolateCacheBytes: vars.ISOLATE_CACHE_BYTES,
    regionTier: vars.REGION_TIER,
    regionShards: vars.REGION_SHARDS,
    regionCacheBytes: vars.REGION_CACHE_BYTES,
    originTimeoutMs: vars.ORIGIN_TIMEOUT_MS,
    requestDeadlineMs: vars.REQUEST_DEADLINE_MS,
    popularWarmSeconds: vars.POPULAR_WARM_SECONDS,
    deviceMaxAgeSeconds: vars.DEVICE_MAX_AGE_SECONDS,
    corsOrigins: vars.CORS_ORIGINS,
    devLocations: vars.DEV_LOCATIONS,
  };
}

const got = (value: unknown): string =>
  value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 80) ?? typeof value);

const secret = z
  .string({ error: ({ input }) => `expected text, got ${input === undefined ? 'nothing' : typeof input}` })
  .refine((value) => encodeUtf8(value).length >= MIN_SECRET_BYTES, {
    error: ({ input }) => `expected at least ${MIN_SECRET_BYTES} bytes, got ${encodeUtf8(String(input)).length}`,
  });

const text = z.string().refine((value) => value !== '', { error: 'expected text, got ""' });

const wholeNumber = (min: number, max: number, byDefault: number) => {
  const error = ({ input }: { input?: unknown }) => `expected a whole number from ${min} to ${max}, got ${got(input)}`;
  const isInRange = (value: string) => /^\d{1,12}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return z.string({ error }).refine(isInRange, { error }).transform(Number).default(byDefault);
};

const splitList = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** An origin as a browser sends it in `Origin`: a scheme and a host, without a path. */
const isOrigin = (value: string): boolean =>
  /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;

const origins = z
  .string({ error: ({ input }) => `expected text, got ${got(input)}` })
  .refine((value) => splitList(value).every(isOrigin), {
    error: ({ input }) => `expected origins like https://player.example.com, separated by commas, got ${got(input)}`,
  })
  .transform(splitList)
  .default([]);

/** A variable with JSON text that `schema` accepts. */
const jsonOf = <T>(schema: z.ZodType<T>, what: string) =>
  z
    .string({ error: ({ input }) => `expected ${what} as JSON text, got ${got(input)}` })
    .transform((json, context): T => {
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
        message: `expected ${what}, got ${got(json)} (${z.prettifyError(parsed.error)})`,
      });
      return z.NEVER;
    });

const devLocations = z.record(
  z.string().regex(/^[A-Z]{3}$/, 'expected a code of three capital letters'),
  z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) }),
);

const envSchema = z
  .object({
    REGIONS: jsonOf(regionsSchema, 'a list of regions'),
    TOKEN_SECRET: secret.optional(),
    TOKEN_JWKS_URL: z
      .url({ protocol: /^https?$/, error: ({ input }) => `expected an http or https URL, got ${got(input)}` })
      .optional(),
    TOKEN_AUDIENCE: text.default(LISTENER_AUDIENCE),
    TOKEN_ISSUER: text.optional(),
    ORIGIN_SECRET: secret,
    ISOLATE_CACHE_BYTES: wholeNumber(0, 104_857_600, 33_554_432),
    REGION_TIER: z.enum(['on', 'off'], { error: ({ input }) => `expected on or off, got ${got(input)}` }).default('on'),
    REGION_SHARDS: wholeNumber(1, 256, 8),
    REGION_CACHE_BYTES: wholeNumber(0, 104_857_600, 8_388_608),
    ORIGIN_TIMEOUT_MS: wholeNumber(1, 30_000, 2000),
    REQUEST_DEADLINE_MS: wholeNumber(1, 60_000, 5000),
    POPULAR_WARM_SECONDS: wholeNumber(0, 86_400, 60),
    DEVICE_MAX_AGE_SECONDS: wholeNumber(0, 86_400, 60),
    CORS_ORIGINS: origins,
    DEV_LOCATIONS: jsonOf(devLocations, 'places by data-centre code').optional(),
  })
  .refine(({ TOKEN_SECRET, TOKEN_JWKS_URL }) => TOKEN_SECRET === undefined || TOKEN_JWKS_URL === undefined, {
    error: 'expected exactly one of TOKEN_SECRET and TOKEN_JWKS_URL, got both',
  })
  .refine(({ TOKEN_SECRET, TOKEN_JWKS_URL }) => TOKEN_SECRET !== undefined || TOKEN_JWKS_URL !== undefined, {
    error: 'expected exactly one of TOKEN_SECRET and TOKEN_JWKS_URL, got neither',
  })
  .refine(({ TOKEN_AUDIENCE }) => TOKEN_AUDIENCE !== ORIGIN_AUDIENCE, {
    error: `expected TOKEN_AUDIENCE to differ from the origins' own, got "${ORIGIN_AUDIENCE}"`,
  })
  .refine(({ TOKEN_SECRET, ORIGIN_SECRET }) => TOKEN_SECRET !== ORIGIN_SECRET, {
    error: 'expected ORIGIN_SECRET to differ from TOKEN_SECRET, got the same',
  });
