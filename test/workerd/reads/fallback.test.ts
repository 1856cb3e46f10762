// The fallback for a listener without a list or with an unreachable one.
import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const popularHere = makeList('here', 60, 1_795_230_000_000);
const popularAnywhere = makeList('anywhere', 60);
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
});

describe('an error', () => {
  test('reports the lookups: 404 from an origin and then from a cache, 503 from every region', async () => {
    const path = `${PATH}?fallback=none`;
    const read = async (sub: string) => {
      const { status, headers } = await edge.get(path, { sub });
      return [status, headers.get('cache-status')];
    };
    expect(await read('nobody')).toEqual([
      404,
      'origin-asia; fwd=miss; fwd-status=404, colo; fwd=miss; stored, isolate; fwd=miss; stored',
    ]);
    expect(await read('nobody')).toEqual([404, 'isolate; hit; ttl=30; detail=absent']);
    edge.origins.behave(503, { path: '/internal/v1/lists:read' });
    const regions = ['asia', 'europe', 'us'].map((region) => `origin-${region}; fwd=miss; fwd-status=503`);
    expect(await read('ann')).toEqual([503, `${regions.join(', ')}, colo; fwd=miss, isolate; fwd=miss`]);
  });
});

describe('a user without a list', () => {
  test('gets the popular list of the surface, under their own name and arm, with that list’s generation', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    edge.origins.put(keyOf('~popular', 'popular'), popularAnywhere);
    const response = await edge.get(`${PATH}?limit=1`, { sub: 'nobody' });
    expect(await response.json()).toEqual({
      user: 'nobody',
      surface: 'home',
      variant: 'control',
      generation: '2026-11-21T03:00:00.000Z',
      source: 'popular',
      items: [{ id: 'here:1', score: 1 }],
    });
    expect(edge.counters.get('edge_popular_total')).toBe(1);
  });

  test('gets the popular list of all surfaces where the surface has none, and keeps their own arm', async () => {
    edge.origins.put(keyOf('~popular', 'popular'), popularAnywhere);
    const response = await edge.get(`${PATH}?limit=1`, { sub: 'nobody' });
    expect(await response.json()).toEqual({
      user: 'nobody',
      surface: 'home',
      variant: 'control',
      generation: '2026-11-22T03:00:00.000Z',
      source: 'popular',
      items: [{ id: 'anywhere:1', score: 1 }],
    });
    expect(edge.origins.calls.flatMap(({ keys }) => keys)).toEqual([
      keyOf('nobody'),
      keyOf('~popular'),
      keyOf('~popular', 'popular'),
    ]);
  });

  test('is cached as absent for the next read, which reaches no origin', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    await edge.get(PATH, { sub: 'nobody' });
    edge.clock.advance(10_000);
    const response = await edge.get(PATH, { sub: 'nobody' });
    expect(response.headers.get('cache-status')).toBe(
      'isolate; hit; ttl=20; detail=absent, isolate; hit; ttl=21590; detail=popular',
    );
    expect(response.headers.get('cache-control')).toBe('private, max-age=60');
  });

  test('gets 404 when there is nothing popular either', async () => {
    const response = await edge.get(PATH, { sub: 'nobody' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'no_recommendations' });
    expect(response.headers.get('retry-after')).toBeNull();
  });

  test('gets 404 at once with fallback=none', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    expect((await edge.get(`${PATH}?fallback=none`, { sub: 'nobody' })).status).toBe(404);
    expect(edge.origins.listReads()).toHaveLength(1);
  });

  test('on the popular surface itself loads its popular list once', async () => {
    edge.origins.put(keyOf('~popular', 'popular'), popularAnywhere);
    const response = await edge.get('/v1/me/recommendations/popular', { sub: 'nobody' });
    expect(await response.json()).toMatchObject({ source: 'popular', surface: 'popular', variant: 'chart' });
    expect(edge.origins.listReads()).toHaveLength(2);
  });

  test('gets 404 where no popular surface was ever published', async () => {
    const { home } = makeManifest().surfaces;
    edge.origins.publish(makeManifest({ surfaces: home === undefined ? {} : { home } }));
    expect((await edge.get(PATH, { sub: 'nobody' })).status).toBe(404);
  });
});

describe('with every region down', () => {
  const manifestOnly = (): void => edge.origins.behave('refuses', { path: '/internal/v1/lists:read' });

  test('a cached popular list is the fallback', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    await edge.get(PATH, { sub: 'nobody' });
    manifestOnly();
    edge.origins.put(keyOf('ann'), makeList('a'));
    const response = await edge.get(PATH, { sub: 'ann' });
    expect(await response.json()).toMatchObject({ user: 'ann', source: 'popular' });
    expect(response.headers.get('cache-status')).toBe(
      'origin-asia; fwd=miss; detail=connection, origin-europe; fwd=miss; detail=connection, origin-us; fwd=miss; detail=connection, ' +
        'colo; fwd=miss, isolate; fwd=miss, isolate; hit; ttl=21600; detail=popular',
    );
  });

  test('the answer is 503 when no popular list is cached, and no region gets two calls', async () => {
    manifestOnly();
    const response = await edge.get(PATH);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual({
      type: 'urn:earshot:problem:unavailable',
      title: 'The service is unavailable; try again.',
      status: 503,
      code: 'unavailable',
    });
    expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us']);
  });

  test('the answer is 503 with fallback=none, whatever is cached', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    await edge.get(PATH, { sub: 'nobody' });
    manifestOnly();
    expect((await edge.get(`${PATH}?fallback=none`)).status).toBe(503);
  });

  test('a cached list is served as ever', async () => {
    edge.origins.put(keyOf('ann'), makeList('a'));
    await edge.get(PATH);
    edge.origins.behave('refuses');
    edge.clock.advance(120_000);
    expect((await edge.get(PATH)).headers.get('cache-status')).toBe('isolate; hit; ttl=21480');
  });
});

describe('with every table out of reach, though the origins answer', () => {
  const tablesDown = (): void => edge.origins.behave('table-down');

  test('no region gets two calls, whatever fallback remains', async () => {
    tablesDown();
    const response = await edge.get(PATH);
    expect(response.status).toBe(503);
    expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us']);
  });

  test('a cached popular list is the fallback', async () => {
    edge.origins.put(keyOf('~popular'), popularHere);
    await edge.get(PATH, { sub: 'nobody' });
    tablesDown();
    expect(await (await edge.get(PATH)).json()).toMatchObject({ user: 'ann', source: 'popular' });
  });

  test('but one, that region gets the fallback’s read, too, and the others get no second call', async () => {
    edge.origins.put(keyOf('~popular', 'popular'), popularAnywhere);
    for (const region of ['asia', 'us']) edge.origins.behave('table-down', { region });
    expect(await (await edge.get(PATH, { sub: 'nobody' })).json()).toMatchObject({ source: 'popular' });
    expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'europe', 'europe']);
  });
});

describe('a device', () => {
  beforeEach(() => edge.origins.put(keyOf('~popular'), popularHere));

  test('keeps the popular list for long when the user has none, and for 5 seconds when theirs is out of reach', async () => {
    const absent = await edge.get(PATH, { sub: 'nobody' });
    edge.origins.behave('refuses', { path: '/internal/v1/lists:read' });
    const unreachable = await edge.get(PATH);
    expect([absent, unreachable].map(({ headers }) => headers.get('cache-control'))).toEqual([
      'private, max-age=60',
      'private, max-age=5',
    ]);
  });

  test('keeps it no longer than anything else', async () => {
    edge = createHarness({ env: { DEVICE_MAX_AGE_SECONDS: '3' } });
    edge.origins.put(keyOf('~popular'), popularHere);
    await edge.get(PATH, { sub: 'nobody' });
    edge.origins.behave('refuses', { path: '/internal/v1/lists:read' });
    expect((await edge.get(PATH)).headers.get('cache-control')).toBe('private, max-age=3');
  });
});

test('a user whose own list alone fails gets the popular list from the nearest region', async () => {
  edge.origins.behave('fails-listeners', { path: '/internal/v1/lists:read' });
  edge.origins.put(keyOf('~popular'), popularHere);
  const response = await edge.get(PATH);
  expect(await response.json()).toMatchObject({ user: 'ann', source: 'popular' });
  expect(edge.origins.listReads()).toEqual(['asia', 'europe', 'us', 'asia']);
});

describe('a chosen variant', () => {
  test('is read for a previewer, and named in the answer', async () => {
    edge.origins.put(keyOf('ann', 'home', 'knn'), makeList('k'));
    const response = await edge.get(`${PATH}?variant=knn`, { scope: 'recs:preview' });
    expect(await response.json()).toMatchObject({ variant: 'knn', source: 'personal' });
  });

  test('that the surface does not have is 404', async () => {
    const response = await edge.get(`${PATH}?variant=als`, { scope: 'recs:preview' });
    expect([response.status, await response.json()]).toMatchObject([404, { code: 'unknown_variant' }]);
  });
});
