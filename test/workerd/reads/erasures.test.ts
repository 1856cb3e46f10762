// Events that overtake a load or a stored entry: the erasure of a user, and a flip to another generation.

import { beforeEach, describe, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const LISTS = '/internal/v1/lists:read';
const PATH = '/v1/me/recommendations/home';
const COLD = 'origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored';
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: ONE_REGION });
  edge.origins.put(keyOf('ann'), makeList('a'));
});

const read = async (path = PATH) => {
  const response = await edge.get(path);
  return { status: response.status, cache: response.headers.get('cache-status'), body: await response.text() };
};
const listReads = () => edge.origins.listReads().length;

describe('an erased user', () => {
  /** The cached manifest is stale then: the next request learns of a new one, and a load has time left. */
  const AGED_MS = 4_500;
  const LATER_MS = 1_000;

  const erase = (version: number) =>
    edge.origins.publish(
      makeManifest({ version, erasures: [{ userHash: makeUserHash('ann'), atMs: edge.clock.now() }] }),
    );

  test('gets no earlier entry from any cache, and gets later ones', async () => {
    await edge.get(PATH, { sub: 'bob' });
    await read();
    edge.clock.advance(10_000);
    erase(2);
    edge.origins.put(keyOf('ann'), makeList('after'));
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    const asked = listReads();
    const response = await read();
    expect(response.cache).toBe(COLD);
    expect(response.body).toContain('"after:1"');
    expect(listReads() - asked).toBe(1);
    expect((await read()).cache).toBe('isolate; hit; ttl=21600');
    edge.loseIsolate();
    expect((await read()).cache).toMatch(/^colo; hit/);
  });

  test('does not get an earlier entry even if nothing else is available', async () => {
    await read();
    edge.clock.advance(10_000);
    erase(2);
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('refuses', { path: LISTS });
    expect((await read(`${PATH}?fallback=none`)).status).toBe(503);
  });

  test('does not join an earlier load, which is not stored', async () => {
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.clock.advance(AGED_MS);
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const before = edge.send(PATH);
    await arrived;
    edge.clock.advance(LATER_MS);
    erase(2);
    edge.origins.behave('up');
    await edge.get(PATH, { sub: 'learns-of-it' });
    edge.origins.put(keyOf('ann'), makeList('after'));
    const after = await edge.get(PATH);
    expect(await after.text()).toContain('"after:1"');
    edge.origins.release();
    expect(await (await before).text()).toContain('"a:1"');
    const next = await read();
    expect(next.cache).toBe('isolate; hit; ttl=21600');
    expect(next.body).toContain('"after:1"');
    edge.loseIsolate();
    expect((await read()).body).toContain('"after:1"');
  });

  test('does not get an earlier cache entry through a later load of a caller without the erasure', async () => {
    const gate = Promise.withResolvers<void>();
    let isGated = false;
    edge = createHarness({
      openCache: async () => {
        const cache = await caches.open('test');
        const match = async (url: string) => {
          const response = await cache.match(url);
          if (isGated && url.endsWith(encodeURIComponent('/ann'))) await gate.promise;
          return response;
        };
        return { match, put: (url: string, response: Response) => cache.put(url, response) } as Cache;
      },
    });
    edge.origins.put(keyOf('ann'), makeList('a'));
    await read();
    edge.loseIsolate();
    // A cache lookup times out after a quarter of a second.
    edge.clock.advance(AGED_MS + 400);
    erase(2);
    edge.origins.put(keyOf('ann'), makeList('after'));
    isGated = true;
    const unaware = edge.send(PATH);
    await scheduler.wait(0);
    edge.clock.advance(200);
    await edge.get(PATH, { sub: 'learns-of-it' });
    const aware = edge.send(PATH);
    await scheduler.wait(0);
    gate.resolve();
    expect(await (await unaware).text()).toContain('"a:1"');
    expect(await (await aware).text()).toContain('"after:1"');
    expect((await read()).body).toContain('"after:1"');
  });

  test('is not stored by a load that the erasure overtook, without later reads', async () => {
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.clock.advance(AGED_MS);
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const before = edge.get(PATH);
    await arrived;
    edge.clock.advance(LATER_MS);
    erase(2);
    edge.origins.behave('up');
    await edge.get(PATH, { sub: 'learns-of-it' });
    edge.origins.release();
    await before;
    expect(edge.counters.get('edge_fenced_total')).toBe(1);
    expect((await read()).cache).toBe(COLD);
  });
});

test('a load that a flip overtook is not stored', async () => {
  await edge.get(PATH, { sub: 'warms-the-manifest' });
  edge.clock.advance(4_500);
  edge.origins.behave('slow', { path: LISTS });
  const arrived = edge.origins.arrival('asia');
  const before = edge.get(PATH);
  await arrived;
  const { surfaces } = makeManifest();
  const next = GENERATION + 86_400_000;
  const variants = [{ name: toName('control'), weight: 10_000, current: next }];
  const home = { salt: 'home-1', listTtlSeconds: 21_600, variants };
  edge.origins.publish(makeManifest({ version: 2, surfaces: { ...surfaces, home } }));
  edge.clock.advance(1_000);
  edge.origins.behave('up');
  await edge.get(PATH, { sub: 'learns-of-it' });
  edge.origins.release();
  expect(await (await before).text()).toContain('"a:1"');
  expect(edge.counters.get('edge_fenced_total')).toBe(1);
});
