// The configuration: what is wrong is said by the name of the variable, and never with a secret's value.
import { createExecutionContext } from 'cloudflare:test';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { assemble } from '../../edge/assemble.ts';
import { readConfig } from '../../edge/config.ts';
import refused from './refused-configs.json';
import { TEST_ENV, TEST_REGIONS } from './support/harness.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a configuration', () => {
  test('needs no more than regions and secrets; the rest has defaults', () => {
    const { REGION_TIER: _, POPULAR_WARM_SECONDS: __, ...needed } = TEST_ENV;
    expect(readConfig(needed)).toEqual({
      regions: TEST_REGIONS,
      tokenKeys: { mode: 'secret', secret: TEST_ENV.TOKEN_SECRET },
      tokenAudience: 'earshot',
      tokenIssuer: undefined,
      originSecret: TEST_ENV.ORIGIN_SECRET,
      isolateCacheBytes: 33_554_432,
      regionTier: 'on',
      regionShards: 8,
      regionCacheBytes: 8_388_608,
      originTimeoutMs: 2_000,
      requestDeadlineMs: 5_000,
      popularWarmSeconds: 60,
      deviceMaxAgeSeconds: 60,
      corsOrigins: [],
      devLocations: undefined,
    });
  });

  test('may name published keys instead of a secret, and every other variable', () => {
    const config = readConfig({
      REGIONS: TEST_ENV.REGIONS,
      ORIGIN_SECRET: TEST_ENV.ORIGIN_SECRET,
      TOKEN_JWKS_URL: 'https://id.example.com/jwks',
      TOKEN_AUDIENCE: 'listeners',
      TOKEN_ISSUER: 'https://id.example.com',
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
      isolateCacheBytes: 0,
      originTimeoutMs: 1,
      requestDeadlineMs: 60_000,
      deviceMaxAgeSeconds: 0,
      corsOrigins: ['https://player.example.com', 'http://localhost:3000'],
      devLocations: { NRT: { latitude: 35.76, longitude: 140.39 } },
    });
  });

  test.each(refused as { name: string; env: Record<string, string | null>; reason: string }[])(
    'with $name is refused',
    ({ env, reason }) => {
      const changed = Object.entries({ ...TEST_ENV, ...env }).filter(([, value]) => value !== null);
      const read = () => readConfig(Object.fromEntries(changed));
      expect(read).toThrow(`the worker's configuration is not valid: ${reason}`);
      for (const value of [env.TOKEN_SECRET, env.ORIGIN_SECRET, TEST_ENV.TOKEN_SECRET, TEST_ENV.ORIGIN_SECRET]) {
        if (value) expect(read).not.toThrow(value);
      }
    },
  );
});

test('a worker that is configured wrongly answers every request with 500, and says why once, in the log', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  const answer = assemble({ ...TEST_ENV, ORIGIN_TIMEOUT_MS: 'soon' }, 'https://edge.test');
  for (const path of ['/healthz', '/v1/me/recommendations/home', '/openapi.json']) {
    const response = await answer(new Request(`https://edge.test${path}`), {}, createExecutionContext());
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      type: 'urn:earshot:problem:internal',
      title: 'Something went wrong.',
      status: 500,
      code: 'internal',
    });
  }
  expect(logged).toHaveBeenCalledTimes(1);
  expect(JSON.parse(String(logged.mock.calls[0]?.[0]))).toEqual({
    level: 'error',
    event: 'configuration_invalid',
    message:
      'the worker\'s configuration is not valid: ORIGIN_TIMEOUT_MS: expected a whole number from 1 to 30000, got "soon"',
  });
});
