// The claims of correctly signed tokens: each is checked for its type, in whichever form a provider issues it.
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { PUBLIC_ID_PATTERN } from '../../../shared/domain/ids.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signClaims } from '../support/tokens.ts';

const PATH = '/v1/me/recommendations/home';
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
});

const makeClaims = (own: object): object => ({
  sub: 'ann',
  aud: 'earshot',
  exp: Math.floor(edge.clock.now() / 1000) + 600,
  ...own,
});

const ask = async (own: object, path = PATH): Promise<Response> =>
  edge.get(path, { authorization: `Bearer ${await signClaims(makeClaims(own))}` });

describe('a claim of another type is refused, and the log names it', () => {
  const values: unknown[] = [12_345, 1.5, true, null, {}, ['ann'], [['ann']], { toString: 'ann' }];
  const texts = ['sub', 'iss'].flatMap((claim) => values.map((value) => ({ claim, value })));
  const lists = ['aud', 'scope', 'scp', 'permissions'].flatMap((claim) =>
    [5, true, null, {}, [1], ['earshot', 5], [['earshot']]].map((value) => ({ claim, value })),
  );
  const moments = ['exp', 'nbf', 'iat'].flatMap((claim) =>
    ['1795403400', null, true, {}, [1_795_403_400]].map((value) => ({ claim, value })),
  );

  test.each([...texts, ...lists, ...moments])('$claim: $value', async ({ claim, value }) => {
    const response = await ask({ [claim]: value });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(edge.logs).toEqual([
      { event: 'token_rejected', fields: expect.objectContaining({ reason: expect.any(String), claim }) },
    ]);
    // A list of audiences without Earshot's is a wrong audience, whatever else it holds.
    expect(['claim_type', 'audience']).toContain(edge.logs[0]?.fields.reason);
    expect(edge.origins.calls).toEqual([]);
  });

  test.each([{ claims: [] }, { claims: 'ann' }, { claims: 7 }, { claims: null }])(
    'claims that are no object: $claims',
    async ({ claims }) => {
      const response = await edge.get(PATH, { authorization: `Bearer ${await signClaims(claims)}` });
      expect(response.status).toBe(401);
      expect(edge.logs[0]?.fields).toMatchObject({ reason: expect.stringMatching(/malformed|claim_missing/) });
    },
  );
});

describe('the scopes', () => {
  const OTHER = '/v1/users/bob/recommendations/home?fallback=none';

  test.each([
    { scope: 'other recs:read:any' },
    { scope: ['recs:read:any'] },
    { scope: ['other', 'x recs:read:any'] },
    { scp: 'recs:read:any other' },
    { scp: ['other', 'recs:read:any'] },
    { permissions: ['recs:read:any'] },
    { scope: 'openid', permissions: ['recs:read:any'] },
  ])('are understood in the form %j', async (claims) => {
    expect((await ask(claims, OTHER)).status).toBe(404);
  });

  test.each([
    { scope: 'recs:read:anyone' },
    { scope: 'recs:read:any,other' },
    { scope: '' },
    { scopes: ['recs:read:any'] },
    { scp: [] },
    { roles: ['recs:read:any'] },
  ])('are not granted by %j', async (claims) => {
    expect((await ask(claims, OTHER)).status).toBe(403);
  });
});

describe('the user', () => {
  const ids = [
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'google-oauth2|103547991597142817347',
    'samlp|acme|ann@example.com',
    'ann+radio@example.com',
    'us-east-1:1f2c-77',
    'repo:acme:ref',
    'abc@clients',
  ];

  test.each(ids)('%s gets the list of exactly this id, again from a new isolate and by path', async (sub) => {
    edge.origins.put(keyOf(sub), makeList('own'));
    const first = await ask({ sub });
    expect(await first.json()).toMatchObject({ user: sub, source: 'personal' });
    edge.loseIsolate();
    expect((await ask({ sub })).headers.get('cache-status')).toMatch(/^colo; hit/);
    const byPath = await ask({ sub }, `/v1/users/${encodeURIComponent(sub)}/recommendations/home`);
    expect(await byPath.json()).toMatchObject({ user: sub });
    const asIs = await ask({ sub }, `/v1/users/${sub}/recommendations/home`);
    expect(await asIs.json()).toMatchObject({ user: sub });
    expect(edge.origins.listReads()).toHaveLength(1);
  });

  test.each(['a#b', 'a/b', 'a%2Fb', 'a b', '~popular', '', 'ann\n', 'änn', 'a'.repeat(129), '"', 'a"b', '../x'])(
    '%j is refused with the grammar',
    async (sub) => {
      const response = await ask({ sub });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining('1 to 128 of A-Z a-z 0-9') });
      expect(edge.logs[0]?.fields).toMatchObject({ reason: 'user_id', claim: 'sub' });
      expect(edge.origins.calls).toEqual([]);
    },
  );

  test('comes from the configured claim alone', async () => {
    edge = createHarness({ env: { TOKEN_USER_CLAIM: 'https://example.com/listener' } });
    edge.origins.put(keyOf('listener:7'), makeList('own'));
    const mapped = await ask({ sub: 'spiffe://example.com/x', 'https://example.com/listener': 'listener:7' });
    expect(await mapped.json()).toMatchObject({ user: 'listener:7', source: 'personal' });
    expect((await ask({ sub: 'listener:7' })).status).toBe(401);
    expect(edge.logs.at(-1)?.fields).toMatchObject({ reason: 'claim_missing', claim: 'https://example.com/listener' });
    expect((await ask({ 'https://example.com/listener': ['listener:7'] })).status).toBe(401);
  });
});

test('any claims at all: an answer for the text in sub, or a refusal; never a failure, a foreign user or an ejection', async () => {
  edge = createHarness({ env: { REGION_TIER: 'on' } });
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom<unknown>('ann', 'bob', 'a|b', 'earshot', 'recs:read:any', ['recs:read:any'], '~popular', 1e308),
    fc.string({ unit: 'binary', maxLength: 140 }),
  );
  const names = ['sub', 'aud', 'exp', 'nbf', 'iat', 'iss', 'scope', 'scp', 'permissions', '__proto__', 'toString'];
  const anyClaims = fc.dictionary(fc.constantFrom(...names), odd, { maxKeys: 3 });
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(anyClaims, async (own) => {
      const claims = JSON.parse(JSON.stringify(makeClaims(own))) as Record<string, unknown>;
      const response = await edge.get(PATH, { authorization: `Bearer ${await signClaims(claims)}` });
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      expect([200, 401, 404]).toContain(response.status);
      if (response.status !== 401) expect(claims.sub).toMatch(PUBLIC_ID_PATTERN);
      if (response.status === 200) expect(await response.json()).toMatchObject({ user: claims.sub });
    }),
    { numRuns: 600, seed: 11 },
  );
  expect(Math.min(seen.get(401) ?? 0, (seen.get(200) ?? 0) + (seen.get(404) ?? 0))).toBeGreaterThan(50);
  for (const { keys } of edge.origins.calls)
    for (const { user } of keys) expect(user).toMatch(/^~popular$|^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}$/);
  expect(edge.counters.get('edge_ejections_total')).toBe(0);
});
