import { expect, test } from 'vitest';
import { readOriginConfig } from '../../../origin/config.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import cases from './config-cases.json' with { type: 'json' };

const SECRET = makeRandomSecret();
const needed = {
  EARSHOT_REGION: 'europe',
  EARSHOT_PROJECT: 'music',
  EARSHOT_INSTANCE: 'recs',
  EARSHOT_ORIGIN_SECRET: SECRET,
};

test('what is needed is enough, and the rest has its defaults', () => {
  expect(readOriginConfig(needed)).toEqual({
    region: 'europe',
    bigtable: { project: 'music', instance: 'recs', emulatorHost: undefined },
    appProfile: 'serve-europe',
    hedgeProfile: 'serve-any',
    channels: 2,
    callsPerBatchKey: 2,
    originSecrets: [SECRET],
    host: '127.0.0.1',
    port: 8080,
    maxConnections: 4096,
    metricsHost: '127.0.0.1',
    metricsPort: undefined,
    reusePort: false,
    isTraced: false,
    logLevel: 'info',
    manifestPollMs: 2000,
    readTimeoutMs: 2000,
    listMaxAgeMs: 2_592_000_000,
    build: undefined,
    listCacheBytes: 268_435_456,
    itemCacheBytes: 67_108_864,
    drainDelayMs: 5000,
    drainTimeoutMs: 10_000,
  });
});

test('what is given is taken', () => {
  const given = {
    ...needed,
    EARSHOT_APP_PROFILE: 'serve-any',
    EARSHOT_HEDGE_APP_PROFILE: 'off',
    EARSHOT_BIGTABLE_CHANNELS: '3',
    EARSHOT_BIGTABLE_CALLS: '5',
    EARSHOT_ORIGIN_SECRET_PREVIOUS: `${SECRET}-before`,
    EARSHOT_LIST_MAX_AGE_DAYS: '1',
    EARSHOT_BUILD: 'abc-1.2',
    EARSHOT_LIST_CACHE_BYTES: '0',
    EARSHOT_ITEM_CACHE_BYTES: '1000',
    BIGTABLE_EMULATOR_HOST: '127.0.0.1:8086',
    HOST: '0.0.0.0',
    PORT: '0',
    EARSHOT_MAX_CONNECTIONS: '16',
    EARSHOT_METRICS_HOST: '::1',
    EARSHOT_METRICS_PORT: '9100',
    EARSHOT_REUSE_PORT: 'on',
    LOG_LEVEL: 'warn',
    EARSHOT_MANIFEST_POLL_MS: '10',
    EARSHOT_READ_TIMEOUT_MS: '1',
    EARSHOT_DRAIN_DELAY_MS: '0',
    EARSHOT_DRAIN_TIMEOUT_MS: '600000',
    PATH: '/bin',
  };
  expect(readOriginConfig(given)).toEqual({
    region: 'europe',
    bigtable: { project: 'music', instance: 'recs', emulatorHost: '127.0.0.1:8086' },
    appProfile: 'serve-any',
    hedgeProfile: undefined,
    channels: 3,
    callsPerBatchKey: 5,
    originSecrets: [SECRET, `${SECRET}-before`],
    host: '0.0.0.0',
    port: 0,
    maxConnections: 16,
    metricsHost: '::1',
    metricsPort: 9100,
    reusePort: true,
    isTraced: false,
    logLevel: 'warn',
    manifestPollMs: 10,
    readTimeoutMs: 1,
    listMaxAgeMs: 86_400_000,
    build: 'abc-1.2',
    listCacheBytes: 0,
    itemCacheBytes: 1000,
    drainDelayMs: 0,
    drainTimeoutMs: 600_000,
  });
});

test.each(cases)('$name=$value is refused with one line', ({ name, value, message }) => {
  expect(() => readOriginConfig({ ...needed, [name]: value ?? undefined })).toThrow(new Error(message));
});

test('every wrong variable has its line, and no line repeats a secret', () => {
  const secret = 'almost-a-secret';
  const wrong = { EARSHOT_REGION: '1', EARSHOT_ORIGIN_SECRET: secret, PORT: 'x', LOG_LEVEL: 'loud' };
  expect.assertions(2);
  try {
    readOriginConfig(wrong);
  } catch (error) {
    const { message } = error as Error;
    expect(message.split('\n').map((line) => line.split(':')[0])).toEqual([
      'EARSHOT_REGION',
      'EARSHOT_PROJECT',
      'EARSHOT_INSTANCE',
      'EARSHOT_ORIGIN_SECRET',
      'PORT',
      'LOG_LEVEL',
    ]);
    expect(message).not.toContain(secret);
  }
});

test('a secret is measured in bytes, not in characters', () => {
  const secret = 'äöüßéèêñçâîôûàùæ';
  expect(readOriginConfig({ ...needed, EARSHOT_ORIGIN_SECRET: secret }).originSecrets[0]).toHaveLength(16);
});

test('an origin in front of an emulator may have a secret of the tests, and no other origin may', () => {
  const env = { ...needed, EARSHOT_ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-' };
  expect(() => readOriginConfig({ ...env, ENVIRONMENT: 'local', EARSHOT_ENVIRONMENT: 'local' })).toThrow(
    'EARSHOT_ORIGIN_SECRET: expected a random secret, got a secret of the Earshot repository',
  );
  expect(readOriginConfig({ ...env, BIGTABLE_EMULATOR_HOST: '127.0.0.1:8086' }).originSecrets).toHaveLength(1);
});
