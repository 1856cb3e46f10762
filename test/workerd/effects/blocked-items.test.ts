// Items that no answer may hold: from every kind of list, with another ETag only where an item is lost.
import { beforeEach, expect, test } from 'vitest';
import { POPULAR_USER } from '../../../shared/domain/ids.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { expandedKeyOf, keyOf, makeExpandedList, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
let edge: Harness;
let version = 1;

beforeEach(async () => {
  edge = createHarness({ env: ONE_REGION });
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(expandedKeyOf('ann'), makeExpandedList('a'));
  edge.origins.put(keyOf('bob'), makeList('b'));
  edge.origins.put(keyOf(POPULAR_USER), makeList('a'));
  await edge.get(PATH, { sub: 'takes-the-manifest-up' });
});

async function block(...items: readonly (readonly [string, number | null])[]): Promise<void> {
  const name = `b${version++}`;
  edge.origins.putDocument({ kind: 'blocked', version: name }, JSON.stringify({ format: 1, items }));
  edge.origins.publish(makeManifest({ version: version++, documents: { blocked: name } }));
  edge.clock.advance(10_000);
  await edge.get(PATH, { sub: 'takes-it-up' });
}

async function read(query = '', sub = 'ann', headers = {}) {
  const response = await edge.get(`${PATH}${query}`, { sub, headers });
  const etag = response.headers.get('etag') ?? '';
  if (response.status === 304) return { status: 304, etag, ids: [] as string[] };
  const { items } = (await response.json()) as { items: { id: string }[] };
  return { status: response.status, etag, ids: items.map(({ id }) => id) };
}

test.each([
  ['personal', '?limit=5', 'ann'],
  ['expanded', '?limit=5&expand=items', 'ann'],
  ['popular', '?limit=5', 'nobody'],
])('a %s list has none, and as many items as before', async (_, query, sub) => {
  expect((await read(query, sub)).ids).toEqual(['a:1', 'a:2', 'a:3', 'a:4', 'a:5']);
  await block(['a:1', null], ['a:3', null]);
  expect((await read(query, sub)).ids).toEqual(['a:2', 'a:4', 'a:5', 'a:6', 'a:7']);
  expect((await read(query, sub)).ids).toEqual(['a:2', 'a:4', 'a:5', 'a:6', 'a:7']);
});

test('the last item, and all items', async () => {
  await block(['a:100', null]);
  expect((await read('?limit=100')).ids).toHaveLength(99);
  await block(...Array.from({ length: 100 }, (_, i) => [`a:${i + 1}`, null] as const));
  expect((await read('?limit=100')).ids).toEqual([]);
});

test('a batch has none', async () => {
  await block(['a:1', null]);
  const body = JSON.stringify({ reads: [{ user: 'ann', surface: 'home', limit: 2 }] });
  const response = await edge.get('/v1/recommendations:batch', {
    ...{ method: 'POST', body, headers: { 'content-type': 'application/json' }, sub: 's', scope: 'recs:read:any' },
  });
  const { results } = (await response.json()) as { results: { items: { id: string }[] }[] };
  expect(results[0]?.items.map(({ id }) => id)).toEqual(['a:2', 'a:3']);
});

test('a list that loses an item has another ETag, and no 304 confirms the old one; others keep theirs', async () => {
  const [ann, bob] = [await read(), await read('', 'bob')];
  await block(['a:1', null]);
  const after = await read('', 'ann', { 'if-none-match': ann.etag });
  expect(after.status).toBe(200);
  expect(after.etag).not.toBe(ann.etag);
  expect(await read('', 'ann', { 'if-none-match': after.etag })).toMatchObject({ status: 304 });
  expect(await read('', 'bob', { 'if-none-match': bob.etag })).toMatchObject({ status: 304 });
  await block(['a:2', null]);
  expect((await read('', 'ann', { 'if-none-match': after.etag })).etag).not.toBe(after.etag);
  edge.origins.publish(makeManifest({ version: version++ }));
  edge.clock.advance(10_000);
  await edge.get(PATH, { sub: 'takes-it-up' });
  expect(await read('', 'ann', { 'if-none-match': ann.etag })).toMatchObject({ status: 304 });
});

test('a block ends by itself', async () => {
  await block(['a:1', edge.clock.now() + 60_000], ['a:2', null]);
  expect((await read('?limit=2')).ids).toEqual(['a:3', 'a:4']);
  edge.clock.advance(60_000);
  expect((await read('?limit=2')).ids).toEqual(['a:1', 'a:3']);
});
