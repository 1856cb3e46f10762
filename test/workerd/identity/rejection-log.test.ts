// The log of refused tokens: one reason per check, never the token, and a bounded number of lines.
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeEach, expect, test } from 'vitest';
import { MAX_LINES, WINDOW_MS } from '../../../edge/limited-log.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { signToken, type TokenOptions } from '../support/tokens.ts';

const PATH = '/v1/me/recommendations/home';
const JWKS_URL = 'https://id.test/keys';
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: { TOKEN_ISSUER: 'https://id.example.com' } });
});

const encode = (value: object): string => base64url.encode(encodeUtf8(JSON.stringify(value)));
const unsigned = (header: object): string => `Bearer ${encode(header)}.${encode({ sub: 'ann' })}.AAAA`;
const reasons = () => edge.logs.filter(({ event }) => event === 'token_rejected').map(({ fields }) => fields.reason);

test.each<[string, { authorization?: string | null } & Partial<TokenOptions>]>([
  ['missing', { authorization: null }],
  ['malformed', { authorization: 'Basic YW5uOmFubg==' }],
  ['malformed', { authorization: 'Bearer garbage' }],
  ['malformed', { authorization: `Bearer ${'A'.repeat(30)}.e30.AAAA` }],
  ['too_long', { authorization: `Bearer ${'a'.repeat(8_193)}` }],
  ['algorithm', { authorization: unsigned({ alg: 'none' }) }],
  ['algorithm', { authorization: unsigned({ alg: 'RS256' }) }],
  ['signature', { secret: 'another-secret-for-tests-only-0123456789' }],
  ['expired', { expiresInSeconds: -6 }],
  ['claim_missing', { expiresInSeconds: null }],
  ['claim_missing', { sub: null }],
  ['audience', { audience: 'elsewhere' }],
  ['audience', { audience: ['earshot', 'earshot-origin'] }],
  ['issuer', { issuer: 'https://other.example.com' }],
  ['user_id', { sub: 'a/b' }],
])('%s: %j', async (reason, options) => {
  const response = await edge.get(PATH, {
    issuer: 'https://id.example.com',
    ...(options as Partial<TokenOptions>),
    headers: { 'x-request-id': 'req-7' },
  });
  expect(response.status).toBe(401);
  expect(reasons()).toEqual([reason]);
  expect(edge.logs[0]?.fields.requestId).toBe('req-7');
  expect(JSON.stringify(edge.logs)).not.toMatch(/eyJ|AAAA|object Object/);
});

test('a token that is not valid yet, and one with an unknown key id, are named', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' };
  edge = createHarness({
    env: { TOKEN_SECRET: undefined, TOKEN_JWKS_URL: JWKS_URL },
    fetch: (url, init) =>
      url === JWKS_URL ? Promise.resolve(Response.json({ keys: [jwk] })) : edge.origins.fetch(url, init),
  });
  const nowSeconds = Math.floor(edge.clock.now() / 1000);
  const sign = (kid: string, change: (jwt: SignJWT) => SignJWT) =>
    change(new SignJWT().setProtectedHeader({ alg: 'ES256', kid }))
      .setSubject('ann')
      .setAudience('earshot')
      .setExpirationTime(nowSeconds + 600)
      .sign(privateKey);
  await edge.get(PATH, { authorization: `Bearer ${await sign('k1', (jwt) => jwt.setNotBefore(nowSeconds + 60))}` });
  await edge.get(PATH, { authorization: `Bearer ${await sign('k2', (jwt) => jwt)}` });
  expect(reasons()).toEqual(['not_yet_valid', 'unknown_key']);
});

test('a flood of refused tokens makes few lines, and the next line names the number of the others', async () => {
  const issuer = 'https://id.example.com';
  const expired = await signToken({ nowMs: edge.clock.now(), issuer, expiresInSeconds: -60 });
  for (let i = 0; i < 200; i++) await edge.get(PATH, { authorization: `Bearer ${expired}` });
  await edge.get(PATH, { authorization: null });
  expect(reasons().filter((reason) => reason === 'expired')).toHaveLength(MAX_LINES);
  expect(reasons()).toContain('missing');
  expect(edge.counters.get('edge_rejected_tokens_total')).toBe(201);
  edge.clock.advance(WINDOW_MS);
  await edge.get(PATH, { authorization: `Bearer ${expired}` });
  expect(edge.logs.at(-1)?.fields).toMatchObject({ reason: 'expired', suppressed: 200 - MAX_LINES });
});

test('a listener cannot flood the log with deadlines that are over', async () => {
  for (let i = 0; i < 100; i++)
    await edge.get(PATH, { issuer: 'https://id.example.com', headers: { 'earshot-deadline-ms': '0' } });
  expect(edge.logs.length).toBeLessThanOrEqual(MAX_LINES);
});
