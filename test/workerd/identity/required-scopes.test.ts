// TOKEN_REQUIRED_SCOPES: a token of another service of the same provider opens no list.
import { beforeEach, expect, test } from 'vitest';
import { STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { readBatch, readsOf, sendBatch } from '../support/batches.ts';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const OWN = '/v1/me/recommendations/home';
let edge: Harness;

function deploy(required: string): void {
  edge = createHarness({ env: { TOKEN_REQUIRED_SCOPES: required } });
  for (const user of ['ann', 'bob']) edge.origins.put(keyOf(user), makeList(user));
}
beforeEach(() => deploy('recs:read'));

async function expectMissing(response: Response, scope: string): Promise<void> {
  expect(response.status).toBe(403);
  expect(response.headers.get('www-authenticate')).toBe(
    `Bearer realm="earshot", error="insufficient_scope", scope="${scope}"`,
  );
  expect(await response.json()).toMatchObject({ code: 'forbidden', detail: `the token lacks the scope ${scope}` });
  expect(edge.origins.calls).toEqual([]);
}

test.each<[string, string, GetOptions]>([
  ['the own list', OWN, {}],
  ['the own list under its name', '/v1/users/ann/recommendations/home', { scope: 'openid' }],
  ['the own list with a scope that only begins like it', OWN, { scope: 'recs:read:anyone recs:readx' }],
  ['a preview', `${OWN}?variant=knn`, { scope: 'recs:preview' }],
])('without the scope %s is forbidden', async (_what, path, options) => {
  await expectMissing(await edge.get(path, options), 'recs:read');
});

test('a batch of own reads is forbidden without it', async () => {
  await expectMissing(await sendBatch(edge, readsOf(['ann']), { sub: 'ann', scope: 'openid' }), 'recs:read');
});

test('the scope opens the own list, from a remembered token too, and no other list', async () => {
  for (let i = 0; i < 2; i++) expect((await edge.get(OWN, { scope: 'recs:read' })).status).toBe(200);
  expect((await edge.get('/v1/users/bob/recommendations/home', { scope: 'recs:read' })).status).toBe(403);
});

test('a list that is cached for others stays closed', async () => {
  await edge.get(OWN, { scope: 'recs:read' });
  for (let i = 0; i < 2; i++) expect((await edge.get(OWN)).status).toBe(403);
});

test('recs:read:any contains recs:read', async () => {
  expect((await edge.get(OWN, { scope: 'recs:read:any' })).status).toBe(200);
  expect((await readBatch(edge, readsOf(['ann', 'bob']))).map(({ status }) => status)).toEqual([200, 200]);
});

test('every named scope is required, in whatever claim, and any scope of RFC 6749 can be', async () => {
  deploy("recs:read https://example.com/scope,1 !#$%&'()*+");
  await expectMissing(await edge.get(OWN, { scope: 'recs:read' }), 'https://example.com/scope,1');
  await expectMissing(await edge.get(OWN, { scope: 'recs:read https://example.com/scope,1' }), "!#$%&'()*+");
  const all = "!#$%&'()*+ https://example.com/scope,1 recs:read";
  expect((await edge.get(OWN, { scope: all })).status).toBe(200);
});

test('the status needs recs:status, and not the scopes of lists', async () => {
  expect((await edge.get(STATUS_PATH, { scope: 'recs:status' })).status).toBe(200);
  expect((await edge.get(STATUS_PATH, { scope: 'recs:read recs:read:any' })).status).toBe(403);
});
