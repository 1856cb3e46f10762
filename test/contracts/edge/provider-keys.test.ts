// The identity provider as a real HTTP server that fails in the ways of real ones, in front of the deployed worker in
// workerd. It counts its requests.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type ListOrigin, startListOrigin } from '../../../bench/rigs/list-origin.ts';
import type { WorkerBundle } from '../../../bench/rigs/worker-bundle.ts';
import { startWorkerd } from '../../../bench/rigs/workerd.ts';
import { FETCH_TIMEOUT_MS } from '../../../edge/identity/provider-keys.ts';
import { shareEdgeBundle } from '../../support/shared-bundle/shared-bundle.ts';

type Behaviour = (response: ServerResponse) => void;

let bundle: WorkerBundle;
let origin: ListOrigin;

beforeAll(async () => {
  [bundle, origin] = await Promise.all([shareEdgeBundle(), startListOrigin()]);
});

afterAll(async () => {
  await origin.stop();
});

async function setUp() {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' };
  const publish: Behaviour = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }));
  };
  let behaviour: Behaviour = publish;
  let fetches = 0;
  const provider = createServer((_, response) => {
    fetches++;
    behaviour(response);
  }).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const bindings = {
    ...bundle.vars,
    ...{ ENVIRONMENT: 'local', REGION_TIER: 'off', ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-' },
    REGIONS: JSON.stringify([
      { name: 'asia', origin: origin.url, locationHint: 'apac', latitude: 1.35, longitude: 103.82 },
    ]),
    TOKEN_JWKS_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/keys`,
  };
  const workerd = await startWorkerd({ bundle, bindings, isQuiet: true });
  onTestFinished(async () => {
    await workerd.stop();
    provider.closeAllConnections();
    provider.close();
  });
  const read = async (kid = 'k1') => {
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid })
      .setSubject(`listener:${crypto.randomUUID()}`)
      .setAudience('earshot')
      .setExpirationTime('10m')
      .sign(privateKey);
    const startedAtMs = performance.now();
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${workerd.port}/v1/me/recommendations/home`, { headers });
    await response.arrayBuffer();
    return {
      status: response.status,
      retryAfter: Number(response.headers.get('retry-after')),
      tookMs: performance.now() - startedAtMs,
    };
  };
  return {
    read,
    readMany: (count: number, kid?: string) => Promise.all(Array.from({ length: count }, () => read(kid))),
    behave: (next: Behaviour | 'publish') => {
      behaviour = next === 'publish' ? publish : next;
    },
    fetches: () => fetches,
  };
}

const answer =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end('no');

const statusesOf = (answers: readonly { status: number }[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

test('50 cold requests with 50 tokens fetch the keys once, and all are answered', async () => {
  const { readMany, fetches } = await setUp();
  expect(statusesOf(await readMany(50))).toEqual([200]);
  expect(fetches()).toBe(1);
});

test.each<[string, Behaviour, number]>([
  ['503', answer(503), 1],
  ['429 with Retry-After of 7 s', answer(429, { 'retry-after': '7' }), 7],
  [
    '503 with Retry-After as a date',
    (response) => {
      answer(503, { 'retry-after': new Date(Date.now() + 9_000).toUTCString() })(response);
    },
    8,
  ],
  ['200 with a page instead of keys', (response) => void response.end('<html>'), 1],
])(
  'a provider that answers %s gets one fetch for 40 requests, which are told when to come back',
  async (_what, behaviour, atLeastSeconds) => {
    const { readMany, behave, fetches } = await setUp();
    behave(behaviour);
    const answers = [...(await readMany(20)), ...(await readMany(20))];
    expect(statusesOf(answers)).toEqual([503]);
    expect(fetches()).toBe(1);
    for (const { retryAfter } of answers) {
      expect(retryAfter).toBeGreaterThanOrEqual(Math.max(1, atLeastSeconds - 2));
      expect(retryAfter).toBeLessThanOrEqual(atLeastSeconds + 3);
    }
  },
);

test('a provider that hangs holds up no request for longer than one fetch, and then none', async () => {
  const { readMany, behave, fetches } = await setUp();
  behave(() => undefined);
  const first = await readMany(20);
  expect(statusesOf(first)).toEqual([503]);
  for (const { tookMs } of first) expect(tookMs).toBeLessThan(FETCH_TIMEOUT_MS + 1_500);
  const startedAtMs = performance.now();
  expect(statusesOf(await readMany(20))).toEqual([503]);
  expect(performance.now() - startedAtMs).toBeLessThan(FETCH_TIMEOUT_MS);
  expect(fetches()).toBe(1);
});

test('keys come back by themselves after the pause', async () => {
  const { read, behave, fetches } = await setUp();
  behave(answer(503));
  expect((await read()).status).toBe(503);
  behave('publish');
  await expect.poll(async () => (await read()).status).toBe(200);
  expect(fetches()).toBe(2);
});

test.each<[string, Behaviour | 'publish']>([
  ['up', 'publish'],
  ['down', answer(503)],
  ['hanging', () => undefined],
])('with held keys an unknown key id is 401, and 60 of them cause no fetch (provider %s)', async (_how, behaviour) => {
  const { read, readMany, behave, fetches } = await setUp();
  expect((await read()).status).toBe(200);
  behave(behaviour);
  const unknown = await readMany(60, 'not-published');
  expect(statusesOf(unknown)).toEqual([401]);
  for (const { tookMs } of unknown) expect(tookMs).toBeLessThan(FETCH_TIMEOUT_MS);
  expect((await read()).status).toBe(200);
  expect(fetches()).toBe(1);
});
