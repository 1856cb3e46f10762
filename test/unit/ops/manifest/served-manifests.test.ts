// The origins that confirm a change: which URLs and secrets the command accepts, and the token that each origin gets.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { UsageError } from '../../../../ops/cli/usage-error.ts';
import { findOrigins, readServedManifests } from '../../../../ops/manifest/served-manifests.ts';
import { createCallerVerifier } from '../../../../origin/http/verify-caller.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';
import { makeRandomSecret } from '../../../support/random-secret.ts';

const TEST_SECRET = 'origin-secret-for-tests-only-0123456789-';

function find(origins: string, secret: string = makeRandomSecret()) {
  vi.stubEnv('EARSHOT_ORIGINS', origins);
  vi.stubEnv('EARSHOT_ORIGIN_SECRET', secret);
  onTestFinished(() => void vi.unstubAllEnvs());
  return findOrigins({});
}

test.each([
  [
    'asia=http://asia.example',
    undefined,
    'expected https:// in EARSHOT_ORIGINS outside this machine, got http:// for asia',
  ],
  ['asia=https://u:p@asia.example', undefined, 'expected EARSHOT_ORIGINS without credentials, got some for asia'],
  [
    'asia=https://asia.example',
    TEST_SECRET,
    'EARSHOT_ORIGIN_SECRET: expected a random secret, got a secret of the Earshot repository',
  ],
  [
    'asia=https://asia.example',
    'abcdefghijklmnopqrstuvwxyzabcdefghijkl',
    'EARSHOT_ORIGIN_SECRET: expected a random secret, got a sequence of characters',
  ],
  ['asia=https://asia.example', 'kX3vQ9rTz5', 'EARSHOT_ORIGIN_SECRET: expected at least 32 bytes, got 10'],
])('%s with the secret %s is refused in one line', (origins, secret, message) => {
  expect(() => find(origins, secret)).toThrow(new UsageError(message));
});

test.each(['http://127.0.0.1:8081', 'http://localhost:8081', 'http://[::1]:8081'])(
  'origins of this machine may have http:// and a test secret: %s',
  (origin) => {
    expect(find(`asia=${origin}`, TEST_SECRET)?.regions).toEqual([{ name: 'asia', origin }]);
  },
);

test('each origin gets a token that it accepts, and that no origin of another region accepts', async () => {
  const secret = makeRandomSecret();
  const tokens: string[] = [];
  const server = createServer(({ headers }, response) => {
    tokens.push(headers.authorization ?? '');
    response.writeHead(503).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await readServedManifests({ regions: ['asia', 'us'].map((name) => ({ name, origin })), secret });
  const accepts = async (region: string): Promise<boolean[]> => {
    const verify = createCallerVerifier({ secrets: [secret], region, clock: systemClock });
    const all = await Promise.allSettled(tokens.map((token) => verify(token)));
    return all.map(({ status }) => status === 'fulfilled').sort();
  };
  expect([await accepts('asia'), await accepts('us'), await accepts('europe')]).toEqual([
    [false, true],
    [false, true],
    [false, false],
  ]);
});
