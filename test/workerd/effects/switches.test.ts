// Switches of the manifest: the effect of each, what answers say of it, and its end by the edge's own clock.
import { beforeEach, expect, test } from 'vitest';
import { POPULAR_USER } from '../../../shared/domain/ids.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
let edge: Harness;
let version = 1;

const open = (options: Parameters<typeof createHarness>[0] = { env: ONE_REGION }): void => {
  edge = createHarness(options);
  for (const user of ['ann', 'bob', 'eve']) edge.origins.put(keyOf(user), makeList(user));
  edge.origins.put(keyOf(POPULAR_USER), makeList('popular'));
};

beforeEach(() => open());

/** For an hour. */
async function set(switches: Readonly<Record<string, string>>): Promise<void> {
  const untilMs = edge.clock.now() + 3_600_000;
  const all = Object.fromEntries(Object.entries(switches).map(([name, value]) => [name, { value, untilMs }]));
  edge.origins.publish(makeManifest({ version: ++version, switches: all }));
  edge.clock.advance(10_000);
  await edge.get(PATH, { sub: 'takes-it-up' });
}

async function read(sub = 'ann', path = PATH) {
  const response = await edge.get(path, { sub });
  const { source, code } = (await response.json()) as { source?: string; code?: string };
  const { status, headers } = response;
  return { status, source, code, cache: headers.get('cache-status') ?? '', retryAfter: headers.get('retry-after') };
}

test('colo-tier=off: the cache of the data centre is neither asked nor filled', async () => {
  await set({ 'colo-tier': 'off' });
  expect((await read()).cache).toContain('colo; fwd=bypass; detail=switched-off');
  edge.loseIsolate();
  expect((await read()).cache).toMatch(/^origin-asia; fwd=miss/);
  expect((await read()).cache).toBe('isolate; hit; ttl=21600; detail=switch:colo-tier');
  await set({});
  edge.loseIsolate();
  await read();
  edge.loseIsolate();
  expect((await read()).cache).toMatch(/^colo; hit/);
});

test('region-tier=off: objects are bypassed', async () => {
  open({ env: { ...ONE_REGION, REGION_TIER: 'on' } });
  expect((await read('bob')).cache).toContain('region-asia; fwd=miss');
  await set({ 'region-tier': 'off' });
  expect((await read()).cache).toContain('region-asia; fwd=bypass; detail=switched-off');
  expect((await read('eve')).cache).toContain('detail=switch:region-tier');
});

test('region.asia=avoid: the region is tried last', async () => {
  open({});
  const near = { cf: { latitude: '35', longitude: '139' } };
  const first = await edge.get(PATH, { sub: 'ann', ...near });
  expect(first.headers.get('cache-status')).toContain('origin-asia');
  await set({ 'region.asia': 'avoid' });
  const second = await edge.get(PATH, { sub: 'bob', ...near });
  expect(second.headers.get('cache-status')).not.toContain('origin-asia');
});

test('a read behind a hit is made under the switches, too', async () => {
  open({});
  const near = { cf: { latitude: '35', longitude: '139' } };
  await edge.get(PATH, { sub: 'ann', ...near });
  await set({ 'region.asia': 'avoid', shadow: '1' });
  const asked = edge.origins.calls.length;
  const hit = await edge.get(PATH, { sub: 'ann', ...near });
  expect(hit.headers.get('cache-status')).toMatch(/^isolate; hit/);
  const behind = edge.origins.calls.slice(asked).filter(({ keys }) => keys.some(({ user }) => user === 'ann'));
  expect(behind.map(({ region }) => region)).toEqual(['us']);
});

test('surface.popular.list-ttl holds for the popular list of other surfaces, too', async () => {
  open({});
  edge.origins.put(keyOf(POPULAR_USER), { kind: 'absent' });
  edge.origins.put(keyOf(POPULAR_USER, 'popular'), makeList('p'));
  await read('nobody');
  await set({ 'surface.popular.list-ttl': '10' });
  await read('nobody');
  const asked = edge.origins.calls.length;
  edge.clock.advance(15_000);
  await read('nobody');
  expect(edge.origins.calls.slice(asked).flatMap(({ keys }) => keys.map(({ surface }) => surface))).toContain(
    'popular',
  );
});

test('surface.home=popular: every listener gets the popular list, and nothing else is read', async () => {
  await read();
  await set({ 'surface.home': 'popular' });
  const asked = edge.origins.calls.length;
  expect(await read()).toMatchObject({ status: 200, source: 'popular' });
  expect((await read()).cache).toContain('detail=popular/switch:surface.home');
  expect(edge.origins.calls.slice(asked).flatMap(({ keys }) => keys.map(({ user }) => user))).not.toContain('ann');
});

test('surface.home=off: 503 with a code of its own and Retry-After, also in a batch, and other surfaces go on', async () => {
  await set({ 'surface.home': 'off' });
  expect(await read()).toMatchObject({ status: 503, code: 'surface_off', retryAfter: '30' });
  expect((await read('ann', '/v1/me/recommendations/popular')).code).not.toBe('surface_off');
  const reads = [{ user: 'ann', surface: 'home' }];
  const response = await edge.get('/v1/recommendations:batch', {
    ...{ method: 'POST', body: JSON.stringify({ reads }), sub: 's', scope: 'recs:read:any' },
    headers: { 'content-type': 'application/json' },
  });
  const { results } = (await response.json()) as { results: { status: number; problem: { code: string } }[] };
  expect(results[0]).toMatchObject({ status: 503, problem: { code: 'surface_off' } });
});

test('surface.home.list-ttl: lists are refreshed after that time', async () => {
  await read();
  edge.clock.advance(120_000);
  expect((await read()).cache).toMatch(/^isolate; hit/);
  await set({ 'surface.home.list-ttl': '60' });
  expect((await read()).cache).toContain('detail=stale-while-revalidate/switch:surface.home.list-ttl');
  expect((await read()).cache).toMatch(/^isolate; hit; ttl=\d+; detail=switch/);
});

test('a switch ends by the clock of the edge, and an unknown one has no effect', async () => {
  await set({ 'surface.home': 'off', 'warp-drive': 'on', hedging: 'maybe' });
  expect(await read()).toMatchObject({ status: 503 });
  edge.clock.advance(3_600_000);
  edge.origins.behave('refuses', { path: '/internal/v1/manifest' });
  expect(await read()).toMatchObject({ status: 200, source: 'personal' });
  expect((await read()).cache).not.toContain('switch');
});

test('answers under a switch are counted', async () => {
  await set({ hedging: 'off' });
  const before = edge.counters.get('edge_switched_total');
  await read();
  await read();
  expect(edge.counters.get('edge_switched_total') - before).toBe(2);
});
