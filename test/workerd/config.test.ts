// The configuration: an error names the variable and never contains a secret's value.
import { createExecutionContext } from 'cloudflare:test';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { assemble } from '../../edge/assemble.ts';
import { readConfig } from '../../edge/config.ts';
import { makeRandomSecret } from '../support/random-secret.ts';
import refused from './refused-configs.json';
import { TEST_ENV, TEST_REGIONS } from './support/harness.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a configuration', () => {
  test('needs no more than hosts, regions and secrets; the rest has defaults', () => {
    const { REGIONS } = TEST_ENV;
    const PUBLIC_HOSTS = 'recs.example.com';
    // Without ENVIRONMENT it is production, which refuses the secrets of tests.
    const [TOKEN_SECRET, ORIGIN_SECRET] = [makeRandomSecret(), makeRandomSecret()];
    expect(readConfig({ REGIONS, TOKEN_SECRET, ORIGIN_SECRET, PUBLIC_HOSTS })).toEqual({
      isLocal: false,
      publicHosts: ['recs.example.com'],
      regions: TEST_REGIONS,
      tokenKeys: { mode: 'secret', secrets: [TOKEN_SECRET] },
      tokenAudience: 'earshot',
      tokenIssuer: undefined,
      tokenUserClaim: 'sub',
      limits: {
        isOn: true,
        address: { perSecond: 100, burst: 1_000 },
        subject: { perSecond: 20, burst: 200 },
        scopes: new Map([['recs:read:any', { perSecond: 2_000, burst: 20_000 }]]),
        serviceClaim: undefined,
        services: new Map(),
      },
      tokenMaxLifetimeSeconds: 86_400,
      tokenRequiredScopes: [],
      originSecret: ORIGIN_SECRET,
      previousOriginSecret: undefined,
      hashKey: undefined,
      targetingClaims: [],
      isolateCacheBytes: 33_554_432,
      maxAnswerBytes: 4_194_304,
      regionTier: 'on',
      regionShards: 8,
      regionCacheBytes: 8_388_608,
      originTimeoutMs: 2_000,
      requestDeadlineMs: 5_000,
      popularWarmSeconds: 60,
      deviceMaxAgeSeconds: 60,
      reportSeconds: 60,
      traceRatio: 0,
      corsOrigins: [],
      devLocations: undefined,
    });
  });

  test('may name published keys instead of a secret, and every other variable', () => {
    const config = readConfig({
      ENVIRONMENT: 'local',
      REGIONS: TEST_ENV.REGIONS,
      ORIGIN_SECRET: TEST_ENV.ORIGIN_SECRET,
      TOKEN_JWKS_URL: 'https://id.example.com/jwks',
      TOKEN_AUDIENCE: 'listeners',
      TOKEN_ISSUER: 'https://id.example.com',
      TOKEN_USER_CLAIM: 'oid',
      ORIGIN_SECRET_PREVIOUS: `${TEST_ENV.ORIGIN_SECRET}-before`,
      ISOLATE_CACHE_BYTES: '0',
      ORIGIN_TIMEOUT_MS: '1',
      REQUEST_DEADLINE_MS: '60000',
      DEVICE_MAX_AGE_SECONDS: '0',
      CORS_ORIGINS: 'https://player.example.com, http://localhost:3000',
      DEV_LOCATIONS: '{"NRT":{"latitude":35.76,"longitude":140.39}}',
    });
    expect(config).toMatchObject({
      tokenKeys: { mode: 'jwks', url: 'https://id.example.com/jwks' },
      tokenAudience: 'listeners',
      tokenIssuer: 'https://id.example.com',
      tokenUserClaim: 'oid',
      previousOriginSecret: `${TEST_ENV.ORIGIN_SECRET}-before`,
      isolateCacheBytes: 0,
      originTimeoutMs: 1,
      requestDeadlineMs: 60_000,
      deviceMaxAgeSeconds: 0,
      corsOrigins: ['https://player.example.com', 'http://localhost:3000'],
      devLocations: { NRT: { latitude: 35.76, longitude: 140.39 } },
    });
  });

  test('may have two secrets of listeners and of origins during a change', () => {
    const env = { ...TEST_ENV, TOKEN_SECRET_PREVIOUS: `${TEST_ENV.TOKEN_SECRET}-before` };
    expect(readConfig(env).tokenKeys).toEqual({
      mode: 'secret',
      secrets: [env.TOKEN_SECRET, env.TOKEN_SECRET_PREVIOUS],
    });
  });

  test.each(refused as { name: string; env: Record<string, string | null>; reason: string }[])(
    'with $name is refused',
    ({ env, reason }) => {
      const changed = Object.entries({ ...TEST_ENV, ...env })
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, value === '(random)' ? makeRandomSecret() : value]);
      const read = () => readConfig(Object.fromEntries(changed));
      expect(read).toThrow(`the worker's configuration is not valid: ${reason}`);
      for (const value of [env.TOKEN_SECRET, env.ORIGIN_SECRET, TEST_ENV.TOKEN_SECRET, TEST_ENV.ORIGIN_SECRET]) {
        if (value) expect(read).not.toThrow(value);
      }
    },
  );

  test('for the local cloud may have http:// origins and keys', () => {
    const regions = TEST_REGIONS.map((region) => ({ ...region, origin: 'http://127.0.0.1:8081' }));
    const config = readConfig({
      ENVIRONMENT: 'local',
      REGIONS: JSON.stringify(regions),
      ORIGIN_SECRET: TEST_ENV.ORIGIN_SECRET,
      TOKEN_JWKS_URL: 'http://127.0.0.1:9000/jwks',
    });
    expect(config).toMatchObject({ regions, tokenKeys: { mode: 'jwks', url: 'http://127.0.0.1:9000/jwks' } });
  });
});

describe('a worker without a valid configuration', () => {
  /** The only log line of a worker with `env` after requests to three paths. */
  async function logOf(env: object): Promise<Record<string, unknown>> {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const answer = assemble(env);
    for (const path of ['/healthz', '/v1/me/recommendations/home', '/openapi.json']) {
      const response = await answer(new Request(`https://edge.test${path}`), {}, createExecutionContext());
      expect(response.status).toBe(503);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(response.headers.get('retry-after')).toBeNull();
      expect(await response.json()).toEqual({
        type: 'urn:earshot:problem:not_configured',
        title: 'The service is not configured; its log has the reason.',
        status: 503,
        code: 'not_configured',
      });
    }
    expect(logged).toHaveBeenCalledTimes(1);
    return JSON.parse(String(logged.mock.calls[0]?.[0]));
  }

  test('answers every request with 503, and logs the wrong variable once', async () => {
    expect(await logOf({ ...TEST_ENV, ORIGIN_TIMEOUT_MS: 'soon' })).toEqual({
      level: 'error',
      event: 'configuration_invalid',
      message:
        'the worker\'s configuration is not valid: ORIGIN_TIMEOUT_MS: expected a whole number from 1 to 30000, got "soon"',
      remedy: 'run `npm start`, which writes .dev.vars, then start `npx wrangler dev` again',
    });
  });

  test('logs every missing variable at once, and the remedy on this machine and in a deployment', async () => {
    expect(await logOf({})).toMatchObject({
      event: 'configuration_invalid',
      missing: 'PUBLIC_HOSTS, REGIONS, ORIGIN_SECRET, TOKEN_SECRET or TOKEN_JWKS_URL',
      remedy: expect.stringMatching(/^on this machine: run `npm start`.*wrangler secret put.*docs\/configuration\.md$/),
    });
  });
});
