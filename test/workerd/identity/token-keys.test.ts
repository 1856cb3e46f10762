// Tokens checked with an identity provider's published keys: real key pairs, served by a scripted provider.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeEach, expect, test } from 'vitest';
import { BACKOFF, UNKNOWN_ID_WINDOW_MS } from '../../../edge/identity/provider-keys.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';

const PATH = '/v1/me/recommendations/home';
const JWKS_URL = 'https://id.test/.well-known/jwks.json';
type Algorithm = 'RS256' | 'ES256' | 'EdDSA' | 'ES384';

interface Provider {
  readonly published: object[];
  isUp: boolean;
  fetches: number;
  addKey(alg: Algorithm): Promise<CryptoKey>;
}

let edge: Harness;
let provider: Provider;

beforeEach(() => {
  provider = createProvider();
  edge = createHarness({
    env: { TOKEN_SECRET: undefined, TOKEN_JWKS_URL: JWKS_URL },
    fetch: (url, init) => (url === JWKS_URL ? answerKeys() : edge.origins.fetch(url, init)),
  });
  edge.origins.put(keyOf('ann'), makeList('a'));
});

function createProvider(): Provider {
  const published: object[] = [];
  return {
    published,
    isUp: true,
    fetches: 0,
    addKey: async (alg) => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      published.push({ ...(await exportJWK(publicKey)), kid: `${alg}-${published.length}`, alg, use: 'sig' });
      return privateKey;
    },
  };
}

async function answerKeys(): Promise<Response> {
  provider.fetches++;
  return provider.isUp ? Response.json({ keys: provider.published }) : new Response('down', { status: 503 });
}

const sign = (key: CryptoKey, alg: Algorithm, kid: string, sub = 'ann'): Promise<string> =>
  new SignJWT()
    .setProtectedHeader({ alg, kid })
    .setSubject(sub)
    .setAudience('earshot')
    .setExpirationTime(Math.floor(edge.clock.now() / 1000) + 100_000)
    .sign(key);

const read = async (token: string): Promise<number> =>
  (await edge.get(PATH, { authorization: `Bearer ${token}` })).status;

test.each(['RS256', 'ES256', 'EdDSA'] as const)('a token signed with %s is accepted', async (alg) => {
  const key = await provider.addKey(alg);
  expect(await read(await sign(key, alg, `${alg}-0`))).toBe(200);
});

test('a token signed with a key of the provider but an algorithm that is not allowed is refused', async () => {
  const key = await provider.addKey('ES384');
  expect(await read(await sign(key, 'ES384', 'ES384-0'))).toBe(401);
});

test('a token signed with the public key as a shared secret is refused', async () => {
  await provider.addKey('RS256');
  const secret = JSON.stringify(provider.published[0]);
  expect(await read(await signToken({ nowMs: edge.clock.now(), secret }))).toBe(401);
});

test('the keys are fetched once for many tokens, and not for one that is refused', async () => {
  const key = await provider.addKey('ES256');
  for (const sub of ['ann', 'bob', 'carl']) await read(await sign(key, 'ES256', 'ES256-0', sub));
  expect(await read(await signToken({ nowMs: edge.clock.now() }))).toBe(401);
  expect(provider.fetches).toBe(1);
});

test('a forged token under a known key id is refused', async () => {
  await provider.addKey('ES256');
  const { privateKey } = await generateKeyPair('ES256');
  expect(await read(await sign(privateKey, 'ES256', 'ES256-0'))).toBe(401);
});

test('a withdrawn key stops working once the keys were fetched again, which does not hold up a request', async () => {
  const key = await provider.addKey('ES256');
  expect(await read(await sign(key, 'ES256', 'ES256-0', 'ann'))).toBe(200);
  provider.published.length = 0;
  edge.clock.advance(600_000);
  expect(await read(await sign(key, 'ES256', 'ES256-0', 'ann'))).toBe(200);
  expect(await read(await sign(key, 'ES256', 'ES256-0', 'bob'))).toBe(401);
});

test('a token is remembered for 10 minutes at most, so that a withdrawn key stops working for it too', async () => {
  const key = await provider.addKey('ES256');
  const token = await sign(key, 'ES256', 'ES256-0');
  expect(await read(token)).toBe(200);
  provider.published.length = 0;
  await provider.addKey('ES256');
  // The keys are fetched again during this request, which still finds the old ones and is cached once more.
  edge.clock.advance(600_000);
  expect(await read(token)).toBe(200);
  edge.clock.advance(599_999);
  expect(await read(token)).toBe(200);
  edge.clock.advance(1);
  expect(await read(token)).toBe(401);
});

test('keys that are known are used on while the provider is down', async () => {
  const key = await provider.addKey('ES256');
  await read(await sign(key, 'ES256', 'ES256-0'));
  provider.isUp = false;
  edge.clock.advance(3_600_000);
  for (const sub of ['u1', 'u2', 'u3']) expect(await read(await sign(key, 'ES256', 'ES256-0', sub))).not.toBe(401);
  expect(provider.fetches).toBe(2);
  expect(edge.counters.get('edge_token_key_failures_total')).toBe(1);
  expect(edge.logs.filter(({ event }) => event === 'token_keys_failed')).toEqual([
    {
      event: 'token_keys_failed',
      fields: { message: "expected the provider's keys with status 200, got 503", retryInMs: BACKOFF.firstMs },
    },
  ]);
});

test('without available keys the answer is 503, because the token may be valid', async () => {
  const key = await provider.addKey('ES256');
  provider.isUp = false;
  const response = await edge.get(PATH, { authorization: `Bearer ${await sign(key, 'ES256', 'ES256-0')}` });
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  expect(edge.counters.get('edge_rejected_tokens_total')).toBe(0);
  expect(edge.counters.get('edge_token_key_failures_total')).toBe(1);
  const failure = edge.logs.find(({ event }) => event === 'request_failed')?.fields;
  expect(failure).toMatchObject({ status: 503, causes: expect.stringContaining('got 503'), stack: expect.any(String) });
  expect(JSON.stringify(edge.logs)).not.toContain('eyJ');
});

test('an unknown key id causes a fetch once in a window, whatever the ids, and a new key works after it', async () => {
  const first = await provider.addKey('ES256');
  expect(await read(await sign(first, 'ES256', 'ES256-0'))).toBe(200);
  const second = await provider.addKey('ES256');
  expect(await read(await sign(second, 'ES256', 'ES256-1', 'bob'))).toBe(401);
  expect(provider.fetches).toBe(1);
  edge.clock.advance(UNKNOWN_ID_WINDOW_MS);
  for (let i = 0; i < 20; i++) expect(await read(await sign(first, 'ES256', `unknown-${i}`))).toBe(401);
  expect(provider.fetches).toBe(2);
  expect(await read(await sign(second, 'ES256', 'ES256-1', 'bob'))).not.toBe(401);
  expect(provider.fetches).toBe(2);
});

test('the pause after failures grows to a minute, and a fetch that succeeds ends it', async () => {
  const key = await provider.addKey('ES256');
  provider.isUp = false;
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) {
    await read(await sign(key, 'ES256', 'ES256-0'));
    const { retryInMs } = edge.logs.filter(({ event }) => event === 'token_keys_failed').at(-1)?.fields ?? {};
    pauses.push(Number(retryInMs));
    edge.clock.advance(Number(retryInMs) - 1);
    await read(await sign(key, 'ES256', 'ES256-0'));
    expect(provider.fetches).toBe(i + 1);
    edge.clock.advance(1);
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));
  provider.isUp = true;
  expect(await read(await sign(key, 'ES256', 'ES256-0'))).toBe(200);
});
