// Access control: a table of refused tokens, and the reads that each scope allows.
import { base64url } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN_AUDIENCE } from '../../../shared/domain/identity.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken, type TokenOptions } from '../support/tokens.ts';
import table from './refused-tokens.json';

const PATH = '/v1/me/recommendations/home';
const INVALID = 'Bearer realm="earshot", error="invalid_token", error_description="the token is not valid"';
const EXPIRED = 'Bearer realm="earshot", error="invalid_token", error_description="the token has expired"';
let edge: Harness;

async function expectRefusal(options: GetOptions, challenge: string): Promise<void> {
  const response = await edge.get(PATH, options);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe(challenge);
  expect(await response.json()).toMatchObject({ code: 'unauthenticated', status: 401 });
  expect(edge.counters.get('edge_rejected_tokens_total')).toBe(1);
  expect(edge.origins.calls).toEqual([]);
}

const encodeSegment = (value: object): string => base64url.encode(encodeUtf8(JSON.stringify(value)));

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(keyOf('bob'), makeList('b'));
});

describe('a token is refused', () => {
  interface Refused {
    readonly name: string;
    readonly authorization?: string;
    readonly token?: Partial<TokenOptions>;
    readonly challenge?: string;
  }

  test.each(table as Refused[])('when it is $name', async ({ authorization, token, challenge = INVALID }) => {
    await expectRefusal({ ...(authorization === undefined ? {} : { authorization }), ...token }, challenge);
  });

  test('when there is none, without an error code', async () => {
    await expectRefusal({ authorization: null }, 'Bearer realm="earshot"');
  });

  test('when its claims were changed after it was signed', async () => {
    const [header, , signature] = (await signToken({ nowMs: edge.clock.now() })).split('.');
    const claims = encodeSegment({ sub: 'bob', aud: 'earshot', exp: edge.clock.now() / 1000 + 600 });
    await expectRefusal({ authorization: `Bearer ${header}.${claims}.${signature}` }, INVALID);
  });

  test('when it names no algorithm, or one with another kind of key', async () => {
    const claims = { sub: 'ann', aud: 'earshot', exp: edge.clock.now() / 1000 + 600 };
    await expectRefusal(
      { authorization: `Bearer ${encodeSegment({ alg: 'none' })}.${encodeSegment(claims)}.` },
      INVALID,
    );
    edge = createHarness();
    const rs256 = `Bearer ${encodeSegment({ alg: 'RS256' })}.${encodeSegment(claims)}.AAAA`;
    await expectRefusal({ authorization: rs256 }, INVALID);
  });

  test('when it is the edge’s own for origins, which it just showed them', async () => {
    await edge.get(PATH);
    const shown = edge.origins.calls[0]?.headers.get('authorization') ?? '';
    const response = await edge.get(PATH, { authorization: shown });
    expect(response.status).toBe(401);
  });

  test('when it names origins beside listeners', async () => {
    await expectRefusal({ audience: ['earshot', ORIGIN_AUDIENCE] }, INVALID);
  });

  test('when another issuer made it than the one configured', async () => {
    edge = createHarness({ env: { TOKEN_ISSUER: 'https://id.example.com' } });
    expect((await edge.get('/v1/me/recommendations/home', { issuer: 'https://id.example.com' })).status).not.toBe(401);
    expect((await edge.get(PATH, { issuer: 'https://other.example.com' })).status).toBe(401);
    expect((await edge.get(PATH)).status).toBe(401);
  });
});

describe('a good token', () => {
  test('is not checked again until it expires, and is then refused', async () => {
    const authorization = `Bearer ${await signToken({ nowMs: edge.clock.now(), expiresInSeconds: 60 })}`;
    expect((await edge.get(PATH, { authorization })).status).toBe(200);
    edge.clock.advance(59_999);
    expect((await edge.get(PATH, { authorization })).status).toBe(200);
    edge.clock.advance(5_001);
    await expectRefusal401(authorization);
  });

  async function expectRefusal401(authorization: string): Promise<void> {
    const response = await edge.get(PATH, { authorization });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, EXPIRED]);
  }

  test('is accepted a few seconds after its expiry, for clock skew', async () => {
    const authorization = `Bearer ${await signToken({ nowMs: edge.clock.now(), expiresInSeconds: -3 })}`;
    expect((await edge.get(PATH, { authorization })).status).toBe(200);
  });

  test('may name its scheme in any case', async () => {
    const authorization = `bearer ${await signToken({ nowMs: edge.clock.now() })}`;
    expect((await edge.get(PATH, { authorization })).status).toBe(200);
  });
});

describe('another user’s list', () => {
  test('is forbidden without the scope, and no origin hears of it', async () => {
    const response = await edge.get('/v1/users/bob/recommendations/home', { scope: 'recs:preview other' });
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="earshot", error="insufficient_scope", scope="recs:read:any"',
    );
    expect(await response.json()).toMatchObject({ code: 'forbidden' });
    expect(edge.origins.calls).toEqual([]);
  });

  test('is read with the scope, among others', async () => {
    const response = await edge.get('/v1/users/bob/recommendations/home', { scope: 'other recs:read:any' });
    expect(await response.json()).toMatchObject({ user: 'bob', source: 'personal' });
  });

  test('is not opened by a scope that only begins like it', async () => {
    expect((await edge.get('/v1/users/bob/recommendations/home', { scope: 'recs:read:anyone' })).status).toBe(403);
  });

  test('under one’s own id needs no scope', async () => {
    expect((await edge.get('/v1/users/ann/recommendations/home')).status).toBe(200);
  });

  test('stays forbidden after it was cached for a permitted caller', async () => {
    await edge.get('/v1/users/bob/recommendations/home', { scope: 'recs:read:any' });
    expect((await edge.get('/v1/users/bob/recommendations/home')).status).toBe(403);
  });
});

test('choosing a variant is forbidden without the scope', async () => {
  const response = await edge.get(`${PATH}?variant=knn`, { scope: 'recs:read:any' });
  expect([response.status, await response.json()]).toMatchObject([403, { code: 'forbidden' }]);
});

test('the token for origins is made once, renewed before it ends, and says what it is for', async () => {
  const tokens = () => new Set(edge.origins.calls.map(({ headers }) => headers.get('authorization')));
  for (let i = 0; i < 20; i++) await edge.get(PATH, { sub: `u${i}` });
  expect(tokens().size).toBe(1);
  edge.clock.advance(239_999);
  await edge.get(PATH, { sub: 'v1' });
  expect(tokens().size).toBe(1);
  edge.clock.advance(1);
  await edge.get(PATH, { sub: 'v2' });
  expect(tokens().size).toBe(2);
  const [claims] = [...tokens()].map(
    (token) => JSON.parse(atob(token?.split('.')[1] ?? '')) as Record<string, unknown>,
  );
  const issuedAt = 1_795_402_800;
  expect(claims).toEqual({ sub: 'edge', aud: ORIGIN_AUDIENCE, region: 'asia', iat: issuedAt, exp: issuedAt + 300 });
});

test('during a change of TOKEN_SECRET tokens of both secrets are accepted, and of no third one', async () => {
  const before = 'listener-secret-before-the-change-0123456789';
  edge = createHarness({ env: { TOKEN_SECRET_PREVIOUS: before } });
  edge.origins.put(keyOf('ann'), makeList('a'));
  expect((await edge.get(PATH)).status).toBe(200);
  expect((await edge.get(PATH, { secret: before })).status).toBe(200);
  expect((await edge.get(PATH, { secret: `${before}x` })).status).toBe(401);
  expect((await edge.get(PATH, { secret: before, expiresInSeconds: -60 })).status).toBe(401);
  expect(edge.logs.map(({ fields }) => fields.reason)).toEqual(['signature', 'expired']);
});
