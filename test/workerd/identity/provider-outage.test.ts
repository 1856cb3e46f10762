// The identity provider under attack, in an outage, and during a rotation of its keys, by a manual clock.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { MAX_LINES } from '../../../edge/limited-log.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const JWKS_URL = 'https://id.test/.well-known/jwks.json';
const LISTENERS = Array.from({ length: 20 }, (_, i) => `u${i}`);

interface Key {
  readonly kid: string;
  readonly jwk: object;
  readonly privateKey: CryptoKey;
}

async function makeKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return { kid, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }, privateKey };
}

let first: Key;
let second: Key;
let forger: Key;
let edge: Harness;
let published: readonly Key[];
let isUp: boolean;
let fetches: number;

beforeAll(async () => {
  [first, second, forger] = await Promise.all([makeKey('k1'), makeKey('k2'), makeKey('k1')]);
});

beforeEach(() => {
  published = [first];
  isUp = true;
  fetches = 0;
  edge = createHarness({
    env: { TOKEN_SECRET: undefined, TOKEN_JWKS_URL: JWKS_URL },
    fetch: async (url, init) => {
      if (url !== JWKS_URL) return edge.origins.fetch(url, init);
      fetches++;
      return isUp ? Response.json({ keys: published.map(({ jwk }) => jwk) }) : new Response('down', { status: 503 });
    },
  });
  for (const user of LISTENERS) edge.origins.put(keyOf(user), makeList(user));
});

/** A token of `key`, valid for an hour. */
function sign({ privateKey, kid }: Key, sub: string, own: { kid?: string } = {}): Promise<string> {
  const nowSeconds = Math.floor(edge.clock.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid, ...own })
    .setSubject(sub)
    .setAudience('earshot')
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + 3_600)
    .sign(privateKey);
}

const statusOf = async (token: string): Promise<number> =>
  (await edge.get(PATH, { authorization: `Bearer ${token}` })).status;

const linesOf = (event: string): number => edge.logs.filter((line) => line.event === event).length;

/** Sends `count` requests at once. */
async function statusesOf(count: number, tokenOf: (i: number) => Promise<string>): Promise<number[]> {
  const tokens = await Promise.all(Array.from({ length: count }, (_, i) => tokenOf(i)));
  return [...new Set(await Promise.all(tokens.map(statusOf)))];
}

test('2 000 forged tokens while the provider fails are one fetch, and at most 20 log lines of a kind', async () => {
  isUp = false;
  const forge = (i: number) => sign(forger, `forged-${i}`, { kid: `kid-${i}` });
  expect(await statusesOf(1_000, forge)).toEqual([503]);
  expect(await statusesOf(1_000, forge)).toEqual([503]);
  expect(fetches).toBe(1);
  expect(linesOf('token_keys_failed')).toBe(1);
  expect(linesOf('request_failed')).toBeLessThanOrEqual(MAX_LINES);
  expect(edge.counters.get('edge_token_key_failures_total')).toBe(1);
});

test('300 valid tokens at a cold isolate are one fetch', async () => {
  expect(await statusesOf(300, (i) => sign(first, LISTENERS[i % LISTENERS.length] ?? ''))).toEqual([200]);
  expect(fetches).toBe(1);
});

test('2 000 key ids of a caller cause one fetch in a window, and no memory of any of them', async () => {
  await statusOf(await sign(first, 'u0'));
  edge.clock.advance(30_000);
  const forge = (i: number) => sign(forger, 'u0', { kid: `${'x'.repeat(1_000)}-${i}` });
  expect(await statusesOf(1_000, forge)).toEqual([401]);
  expect(fetches).toBe(2);
  edge.clock.advance(29_999);
  expect(await statusesOf(1_000, forge)).toEqual([401]);
  expect(fetches).toBe(2);
  // An id that becomes known is accepted with the next fetch: no refusal of an id outlives the window.
  published = [first, second];
  expect(await statusOf(await sign(second, 'u1'))).toBe(401);
  edge.clock.advance(1);
  expect(await statusOf(await sign(second, 'u1'))).toBe(200);
  expect(fetches).toBe(3);
  expect(linesOf('token_rejected')).toBeLessThanOrEqual(8 * MAX_LINES);
});

test('an outage of the provider of 10 minutes loses no listener, with a new token or an old one', async () => {
  const old = await Promise.all(LISTENERS.map((user) => sign(first, user)));
  for (const token of old) expect(await statusOf(token)).toBe(200);
  // The keys are due in the middle of the outage.
  edge.clock.advance(300_000);
  isUp = false;
  for (let second = 0; second < 600; second += 20) {
    edge.clock.advance(20_000);
    const i = (second / 20) % LISTENERS.length;
    expect(await statusOf(old[i] ?? '')).toBe(200);
    expect(await statusOf(await sign(first, LISTENERS[i] ?? ''))).toBe(200);
  }
  expect(fetches).toBeGreaterThan(2);
  // The pauses grow to a minute: far fewer fetches than requests.
  expect(fetches).toBeLessThan(15);
  isUp = true;
  edge.clock.advance(60_000);
  for (const token of old) expect(await statusOf(token)).toBe(200);
});

test('a rotation with both keys published loses no listener, and the old key ends within 20 minutes', async () => {
  const old = await sign(first, 'u0');
  expect(await statusOf(old)).toBe(200);
  published = [first, second];
  edge.clock.advance(600_000);
  expect(await statusOf(old)).toBe(200);
  for (const user of LISTENERS) {
    expect(await statusOf(await sign(second, user))).toBe(200);
    expect(await statusOf(await sign(first, user))).toBe(200);
  }
  published = [second];
  const withdrawnAtMs = edge.clock.now();
  const late = await sign(first, 'u1');
  expect(await statusOf(late)).toBe(200);
  let lastAcceptedMs = 0;
  for (let minutes = 0; minutes < 25; minutes++) {
    edge.clock.advance(60_000);
    for (const token of [late, await sign(first, `u${minutes % 20}`)]) {
      if ((await statusOf(token)) === 200) lastAcceptedMs = edge.clock.now() - withdrawnAtMs;
    }
    expect(await statusOf(await sign(second, 'u2'))).toBe(200);
  }
  expect(lastAcceptedMs).toBeGreaterThan(0);
  expect(lastAcceptedMs).toBeLessThanOrEqual(20 * 60_000);
});
