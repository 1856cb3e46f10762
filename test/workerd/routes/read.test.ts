// One read from end to end: the order of the caches, their content and its lifetime.

import { beforeEach, describe, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { parseCacheStatus } from '../support/structured-fields.ts';

const PATH = '/v1/me/recommendations/home';
const LISTS = '/internal/v1/lists:read';
const HOUR_MS = 3_600_000;
const COLD = 'origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored';
let edge: Harness;

const cacheStatus = (response: Response): string => response.headers.get('cache-status') ?? '';

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(keyOf('bob'), makeList('b'));
});

describe('a read', () => {
  test('that is cold names the region it came from', async () => {
    const response = await edge.get(PATH);
    expect(response.status).toBe(200);
    expect(cacheStatus(response)).toBe(COLD);
    expect(edge.origins.calls.at(-1)?.keys).toEqual([keyOf('ann')]);
  });

  test('that follows is served from the isolate', async () => {
    await edge.get(PATH);
    edge.clock.advance(4_000);
    const response = await edge.get(PATH);
    expect(cacheStatus(response)).toBe('isolate; hit; ttl=21596');
    expect(edge.origins.listReads()).toEqual(['asia']);
    expect(edge.counters.get('edge_isolate_hits_total')).toBe(1);
  });

  test('is served from the data centre after the isolate has ended, and is promoted', async () => {
    const first = await edge.get(PATH);
    edge.loseIsolate();
    edge.clock.advance(4_999);
    const second = await edge.get(PATH);
    expect(cacheStatus(second)).toBe('colo; hit; ttl=21595, isolate; fwd=miss; stored');
    expect(await second.text()).toBe(await first.text());
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(cacheStatus(await edge.get(PATH))).toBe('isolate; hit; ttl=21595');
    expect(edge.origins.listReads()).toEqual(['asia']);
    expect(edge.counters.get('edge_colo_hits_total')).toBe(1);
  });

  test('gets the stale list up to the last millisecond of its window, and then none', async () => {
    await edge.get(PATH);
    edge.origins.behave('refuses', { path: LISTS });
    edge.clock.advance(30 * HOUR_MS - 1);
    expect((await edge.get(PATH)).status).toBe(200);
    edge.clock.advance(1);
    expect((await edge.get(PATH)).status).toBe(503);
    expect(edge.counters.get('edge_stale_if_error_total')).toBe(1);
  });

  test('does not get a list that expires during the calls to the regions', async () => {
    await edge.get(PATH);
    edge.clock.advance(30 * HOUR_MS - 1_000);
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('refuses', { path: LISTS });
    edge.origins.behave('hangs', { region: 'asia', path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const answer = edge.get(PATH);
    await arrived;
    edge.clock.advance(2_000);
    expect((await answer).status).toBe(503);
  });

  test('never gets an expired list, from whichever cache', async () => {
    await edge.get(PATH);
    edge.clock.advance(30 * HOUR_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    const response = await edge.get(PATH);
    expect(cacheStatus(response)).toBe(COLD);
    expect(await response.text()).toContain('"new:1"');
  });

  test('for a user without a list is cached as absence for 30 seconds', async () => {
    const path = '/v1/me/recommendations/home?fallback=none';
    const read = () => edge.get(path, { sub: 'nobody', expiresInSeconds: 86_400 });
    expect((await read()).status).toBe(404);
    edge.clock.advance(29_999);
    expect((await read()).status).toBe(404);
    expect(edge.origins.listReads()).toHaveLength(1);
    edge.clock.advance(1);
    edge.origins.put(keyOf('nobody'), makeList('late'));
    expect((await read()).status).toBe(200);
    expect(edge.origins.listReads()).toHaveLength(2);
  });

  test('with absence is shared by the isolates of a data centre', async () => {
    await edge.get(`${PATH}?fallback=none`, { sub: 'nobody' });
    edge.loseIsolate();
    await edge.get(`${PATH}?fallback=none`, { sub: 'nobody' });
    expect(edge.origins.listReads()).toHaveLength(1);
  });

  test('under a new generation is a new key', async () => {
    const current = 1_795_402_800_000;
    await edge.get(PATH);
    edge.origins.publish({
      version: 2,
      surfaces: {
        home: { salt: 'home-1', listTtlSeconds: 60, variants: [{ name: toName('control'), weight: 1, current }] },
      },
      erasures: [],
    });
    edge.origins.put({ ...keyOf('ann'), generation: current }, makeList('next', 10, current));
    edge.clock.advance(10_001);
    const body = await (await edge.get(PATH)).json();
    expect(body).toMatchObject({
      generation: '2026-11-23T03:00:00.000Z',
      items: [{ id: 'next:1' }, ...Array(9).fill({})],
    });
  });

  test('names the generation that the list was computed in, also when it is an older one', async () => {
    edge.origins.put(keyOf('carl'), makeList('c', 5, 1_795_230_000_000));
    expect(await (await edge.get(PATH, { sub: 'carl' })).json()).toMatchObject({
      generation: '2026-11-21T03:00:00.000Z',
    });
  });

  test('reaches the list whose user is a dot or two, which a URL would swallow', async () => {
    edge.origins.put(keyOf('.'), makeList('one-dot'));
    edge.origins.put(keyOf('..'), makeList('two-dots'));
    for (const sub of ['.', '..']) await edge.get(PATH, { sub });
    edge.loseIsolate();
    const [one, two] = [await edge.get(PATH, { sub: '.' }), await edge.get(PATH, { sub: '..' })];
    expect([cacheStatus(one), cacheStatus(two)]).toEqual(
      Array(2).fill('colo; hit; ttl=21600, isolate; fwd=miss; stored'),
    );
    expect(await one.text()).toContain('"one-dot:1"');
    expect(await two.text()).toContain('"two-dots:1"');
  });
});

describe('two users', () => {
  test('never share an answer, whichever cache it comes from', async () => {
    for (const from of ['origin', 'isolate', 'colo'] as const) {
      if (from === 'colo') edge.loseIsolate();
      const [ann, bob] = [await edge.get(PATH, { sub: 'ann' }), await edge.get(PATH, { sub: 'bob' })];
      expect(ann.headers.get('etag')).not.toBe(bob.headers.get('etag'));
      expect(await ann.json()).toMatchObject({
        user: 'ann',
        items: Array(50).fill({ id: expect.stringMatching(/^a:/) }),
      });
      expect(await bob.json()).toMatchObject({
        user: 'bob',
        items: Array(50).fill({ id: expect.stringMatching(/^b:/) }),
      });
    }
  });

  test('with the same list have entity tags of their own', async () => {
    edge.origins.put(keyOf('bob'), makeList('a'));
    const [ann, bob] = [await edge.get(PATH, { sub: 'ann' }), await edge.get(PATH, { sub: 'bob' })];
    expect(ann.headers.get('etag')).not.toBe(bob.headers.get('etag'));
  });
});

describe('a cache that is in trouble', () => {
  test('is a miss and a count, never the request’s error', async () => {
    const broken = createHarness({ openCache: () => Promise.reject(new Error('the disk is gone')) });
    broken.origins.put(keyOf('ann'), makeList('a'));
    const response = await broken.get(PATH);
    expect(response.status).toBe(200);
    expect(cacheStatus(response)).toBe(
      'origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored; detail=error, isolate; fwd=miss; stored',
    );
    // The manifest and the list, each looked up and stored.
    expect(broken.counters.get('edge_tier_errors_total')).toBe(4);
    expect(cacheStatus(await broken.get(PATH))).toBe('isolate; hit; ttl=21600');
  });
});

test('Cache-Status is a list of structured fields in every case', async () => {
  edge.origins.behave(503, { region: 'asia', path: LISTS });
  edge.origins.behave('refuses', { region: 'europe', path: LISTS });
  edge.origins.put(keyOf('~popular'), makeList('p'));
  const responses = [await edge.get(PATH), await edge.get(PATH), await edge.get(PATH, { sub: 'nobody' })];
  expect(parseCacheStatus(cacheStatus(responses[0] as Response))).toEqual([
    { name: 'origin-asia', params: { fwd: 'miss', 'fwd-status': 503 } },
    { name: 'origin-europe', params: { fwd: 'miss', detail: 'connection' } },
    { name: 'origin-us', params: { fwd: 'miss', 'fwd-status': 200 } },
    { name: 'colo', params: { fwd: 'miss', stored: true } },
    { name: 'isolate', params: { fwd: 'miss', stored: true } },
  ]);
  expect(parseCacheStatus(cacheStatus(responses[1] as Response))).toEqual([
    { name: 'isolate', params: { hit: true, ttl: 21_600 } },
  ]);
  expect(parseCacheStatus(cacheStatus(responses[2] as Response)).at(-1)).toEqual({
    name: 'isolate',
    params: { fwd: 'miss', stored: true, detail: 'popular' },
  });
});

test('a cache of the data centre that hangs holds up neither the manifest nor the lists for long', async () => {
  const hanging = createHarness({ openCache: () => new Promise(() => {}) });
  hanging.origins.put(keyOf('ann'), makeList('a'));
  const { value, tookMs } = await drive(hanging.clock, hanging.send('/v1/me/recommendations/home'), 10);
  expect(value.status).toBe(200);
  expect(value.headers.get('cache-status')).toMatch(
    /^origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; .*detail=error/,
  );
  expect(tookMs).toBeLessThanOrEqual(520);
});
