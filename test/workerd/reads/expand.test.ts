// expand=items: the list with item metadata, stored as another list under its own key.
import { beforeEach, describe, expect, test } from 'vitest';
import { ITEM_TTL_MS } from '../../../shared/caching/lifetime.ts';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import { readBatch, sendBatch } from '../support/batches.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { expandedKeyOf, GENERATION, keyOf, makeExpandedList, makeList, makeManifest } from '../support/lists.ts';

const LISTS = '/internal/v1/lists:read';
const PLAIN = '/v1/me/recommendations/home?limit=3';
const PATH = `${PLAIN}&expand=items`;
const EXPANDED =
  '{"id":"a:1","score":1,"metadata":{"title":"a no. 1"}},\n{"id":"a:2","score":0.999},\n{"id":"a:3","score":0.998,"metadata":{"title":"a no. 3"}}';
const about = (user: string, source = 'personal') =>
  `"user":"${user}","surface":"home","variant":"control","generation":"2026-11-22T03:00:00.000Z","source":"${source}"`;
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(expandedKeyOf('ann'), makeExpandedList('a'));
});

const read = async (path = PATH, options = {}) => {
  const response = await edge.get(path, options);
  const { status, headers } = response;
  const of = (name: string) => headers.get(name);
  return {
    status,
    cache: of('cache-status'),
    etag: of('etag'),
    control: of('cache-control'),
    body: await response.text(),
  };
};
const keysAsked = () => edge.origins.calls.filter(({ path }) => path === LISTS).flatMap(({ keys }) => keys);

describe('an expanded list', () => {
  test('has the metadata of each item byte for byte, and none for an item without metadata', async () => {
    expect((await read()).body).toBe(`{${about('ann')},"items":[${EXPANDED}]}`);
    expect(keysAsked()).toEqual([expandedKeyOf('ann')]);
  });

  test('is available for a named user and for the caller', async () => {
    const path = '/v1/users/ann/recommendations/home?expand=items&limit=3';
    expect((await read(path, { sub: 'service', scope: 'recs:read:any' })).body).toBe((await read()).body);
  });

  test('is returned to each read of a batch that requests it, and to no other', async () => {
    const reads = [{ expand: 'items' }, {}, { expand: 'items', limit: 1 }].map((more) => {
      return { user: 'ann', surface: 'home', limit: 3, ...more };
    });
    const text = await (await sendBatch(edge, reads)).text();
    const first = EXPANDED.split(',\n')[0];
    const plain = '{"id":"a:1","score":1},\n{"id":"a:2","score":0.999},\n{"id":"a:3","score":0.998}';
    const results = [EXPANDED, plain, first].map(
      (items) => `{"status":200,"experiment":"home",${about('ann')},"items":[${items}]}`,
    );
    expect(text).toBe(`{"results":[${results.join(',')}]}`);
    expect(keysAsked()).toEqual([expandedKeyOf('ann'), keyOf('ann')]);
  });

  test('is kept in every cache beside the list alone: neither answers for the other', async () => {
    for (const path of [PATH, PLAIN]) await read(path);
    for (const cache of [/^isolate; hit/, /^colo; hit/]) {
      const [expanded, plain] = [await read(PATH), await read(PLAIN)];
      for (const each of [expanded, plain]) expect(each.cache).toMatch(cache);
      expect(expanded.body).toContain('"metadata"');
      expect(plain.body).not.toContain('"metadata"');
      edge.loseIsolate();
    }
    expect(keysAsked()).toEqual([expandedKeyOf('ann'), keyOf('ann')]);
  });

  test('is kept apart in an object, too', async () => {
    edge = createHarness({ env: { REGION_TIER: 'on' } });
    edge.origins.put(keyOf('ann'), makeList('a'));
    edge.origins.put(expandedKeyOf('ann'), makeExpandedList('a'));
    for (const path of [PATH, PLAIN]) await read(path);
    const isolate = edge.addIsolate();
    const [expanded, plain] = [await isolate.get(PATH), await isolate.get(PLAIN)];
    for (const { headers } of [expanded, plain]) expect(headers.get('cache-status')).toMatch(/^region-asia; hit/);
    expect(await expanded.text()).toContain('"metadata"');
    expect(await plain.text()).not.toContain('"metadata"');
  });

  test('has an ETag of its own, with which it is not sent again', async () => {
    const [expanded, plain] = [await read(PATH), await read(PLAIN)];
    expect(expanded.etag).toMatch(/^"expanded-a-[0-9a-f]{16}-3"$/);
    expect(expanded.etag).not.toBe(plain.etag);
    expect((await read(PATH, { headers: { 'if-none-match': expanded.etag } })).status).toBe(304);
    expect((await read(PATH, { headers: { 'if-none-match': plain.etag } })).status).toBe(200);
  });

  test('shows its key to callers with the scope', async () => {
    const { cache } = await read(PATH, { headers: { 'earshot-debug': '1' }, scope: 'recs:debug' });
    expect(cache).toContain(`isolate; fwd=miss; stored; key="home/control/${GENERATION}/ann/items"`);
  });

  test('is fresh for five minutes, less by the age of its oldest item, and then served while it is refreshed', async () => {
    edge.origins.put(expandedKeyOf('ann'), { ...makeExpandedList('a'), itemsAgeMs: 100_000 });
    await read();
    expect((await read()).cache).toBe('isolate; hit; ttl=200');
    edge.clock.advance(ITEM_TTL_MS - 100_000);
    edge.origins.put(expandedKeyOf('ann'), makeExpandedList('new'));
    const stale = await read();
    expect(stale.cache).toBe('isolate; hit; ttl=0; detail=stale-while-revalidate');
    expect(stale.body).toContain('"a:1"');
    expect((await read()).body).toContain('"new:1"');
  });

  test('from before its user’s erasure is served no more than any list', async () => {
    await read();
    edge.clock.advance(10_000);
    const erasures = [{ userHash: makeUserHash('ann'), atMs: edge.clock.now() }];
    edge.origins.publish(makeManifest({ version: 2, erasures }));
    edge.origins.put(expandedKeyOf('ann'), makeExpandedList('after'));
    expect((await read()).body).toContain('"after:1"');
  });
});

describe('the fallback', () => {
  test('for a user without a list is the popular list, expanded as well', async () => {
    edge.origins.put(expandedKeyOf('~popular'), makeExpandedList('p', 1));
    expect((await read(PATH, { sub: 'nobody' })).body).toBe(
      `{${about('nobody', 'popular')},"items":[{"id":"p:1","score":1,"metadata":{"title":"p no. 1"}}]}`,
    );
    expect(keysAsked()).toEqual([expandedKeyOf('nobody'), expandedKeyOf('~popular')]);
  });

  test('where the surface has no popular list is that of all surfaces, expanded as well, and each is loaded once', async () => {
    edge.origins.put(expandedKeyOf('~popular', 'popular'), makeExpandedList('p', 1));
    expect((await read(PATH, { sub: 'nobody' })).body).toContain('"metadata"');
    expect(keysAsked()).toEqual([
      expandedKeyOf('nobody'),
      expandedKeyOf('~popular'),
      expandedKeyOf('~popular', 'popular'),
    ]);
    await read('/v1/me/recommendations/popular?expand=items', { sub: 'nobody' });
    expect(keysAsked()).toHaveLength(4);
  });

  describe('when no region gives it expanded', () => {
    const refuse = () => edge.origins.behave('refuses', { path: LISTS });

    test('is the user’s own list without metadata if it is cached, and a device keeps it for 5 seconds', async () => {
      await read(PLAIN);
      edge.origins.put(expandedKeyOf('~popular'), makeExpandedList('p'));
      await read(PATH, { sub: 'nobody' });
      refuse();
      const { status, cache, control, body } = await read(PATH);
      expect([status, control]).toEqual([200, 'private, max-age=5']);
      expect(body).toBe((await read(PLAIN)).body);
      const regions = ['asia', 'europe', 'us'].map((name) => `origin-${name}; fwd=miss; detail=connection`);
      expect(cache).toBe(
        `${regions.join(', ')}, colo; fwd=miss, isolate; fwd=miss, isolate; hit; ttl=21600; detail=unexpanded`,
      );
    });

    test('is named in the decisions of a debug request', async () => {
      await read(PLAIN);
      refuse();
      const response = await edge.get(PATH, { headers: { 'earshot-debug': '1' }, scope: 'recs:debug' });
      expect(response.headers.get('earshot-decision')).toContain('source=personal;by=unreachable');
      expect(response.headers.get('cache-status')).toContain(`detail=unexpanded; key="home/control/${GENERATION}/ann"`);
      expect(edge.counters.get('edge_popular_total')).toBe(0);
    });

    test('is the user’s own list without metadata for callers without popular fallback, too', async () => {
      await read(PLAIN);
      refuse();
      expect((await read(`${PATH}&fallback=none`)).status).toBe(200);
    });

    test('is the user’s own list without metadata, from the nearest region, if only items are out of reach', async () => {
      edge.origins.behave('items-down', { path: LISTS });
      const { body, cache } = await read(PATH);
      expect(body).toBe((await read(PLAIN)).body);
      expect(cache).toContain('origin-asia; fwd=miss; fwd-status=200; detail=unexpanded');
      expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us', 'asia']);
    });

    test('is requested exactly once more if all tables are out of reach', async () => {
      edge.origins.behave('table-down', { path: LISTS });
      expect((await read(PATH)).status).toBe(503);
      expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us', 'asia', 'europe', 'us']);
    });

    test('is not requested from an overloaded region', async () => {
      edge.origins.behave(503, { path: LISTS });
      expect((await read(PATH)).status).toBe(503);
      expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us']);
    });

    test('is the popular list, expanded, if no form of the user’s own is cached', async () => {
      edge.origins.put(expandedKeyOf('~popular'), makeExpandedList('p', 1));
      await read(PATH, { sub: 'nobody' });
      refuse();
      const { body, cache } = await read(PATH);
      expect(body).toContain('"source":"popular"');
      expect(body).toContain('"metadata"');
      expect(cache).toMatch(/isolate; fwd=miss; detail=unexpanded, isolate; hit; ttl=300; detail=popular$/);
    });

    test('is nothing if nothing is cached, and no region gets two calls', async () => {
      refuse();
      expect((await read(PATH)).status).toBe(503);
      expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us']);
    });

    test('is, in a batch, the fallback for each read', async () => {
      await read(PLAIN);
      refuse();
      const reads = ['ann', 'bob'].map((user) => ({ user, surface: 'home', expand: 'items', fallback: 'none' }));
      expect((await readBatch(edge, reads)).map(({ status }) => status)).toEqual([200, 503]);
    });
  });

  test('is never the list without metadata for a user with known absence', async () => {
    edge.origins.put(keyOf('odd'), makeList('o'));
    await read(PLAIN, { sub: 'odd' });
    expect((await read(`${PATH}&fallback=none`, { sub: 'odd' })).status).toBe(404);
  });
});
