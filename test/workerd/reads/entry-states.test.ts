// The states of a cached list and the answers in each: fresh, stale during a refresh, stale after a failure, expired.
import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const LISTS = '/internal/v1/lists:read';
const PATH = '/v1/me/recommendations/home';
const HOUR_MS = 3_600_000;
const FRESH_MS = 6 * HOUR_MS;
const COLD = 'origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored';
const ALL_DOWN = ['asia', 'europe', 'us'].map((name) => `origin-${name}; fwd=miss; detail=connection`).join(', ');
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
});

const read = async (path = PATH) => {
  const response = await edge.get(path);
  return { status: response.status, cache: response.headers.get('cache-status'), body: await response.text() };
};
const listReads = () => edge.origins.listReads().length;

/** Reads, and waits until the background work has reached `region`. */
async function readUntilAsked(region: string) {
  const arrived = edge.origins.arrival(region);
  const response = await edge.send(PATH);
  await arrived;
  return response;
}

describe('a fresh list', () => {
  test('is served up to its last millisecond without a load', async () => {
    await read();
    edge.clock.advance(FRESH_MS - 1);
    expect((await read()).cache).toBe('isolate; hit; ttl=0');
    expect(listReads()).toBe(1);
  });

  test('lives a tenth shorter by chance, so that what was loaded together does not expire together', async () => {
    edge = createHarness({ random: () => 0.999_999 });
    edge.origins.put(keyOf('ann'), makeList('a'));
    await read();
    edge.clock.advance(0.9 * FRESH_MS);
    expect((await read()).cache).toMatch(/^isolate; hit; ttl=0$/);
    edge.clock.advance(1_000);
    expect((await read()).cache).toBe('isolate; hit; ttl=-1; detail=stale-while-revalidate');
  });
});

describe('a stale list', () => {
  test('is served at once, and refreshed behind the answer', async () => {
    await read();
    edge.clock.advance(FRESH_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    const stale = await read();
    expect(stale.cache).toBe('isolate; hit; ttl=0; detail=stale-while-revalidate');
    expect(stale.body).toContain('"a:1"');
    const fresh = await read();
    expect(fresh.cache).toBe('isolate; hit; ttl=21600');
    expect(fresh.body).toContain('"new:1"');
    expect(listReads()).toBe(2);
    expect(edge.counters.get('edge_revalidated_total')).toBe(1);
    expect(edge.counters.get('edge_refreshes_total')).toBe(1);
  });

  test('with 1 000 concurrent reads is refreshed once, and no read waits for it', async () => {
    await read();
    edge.clock.advance(FRESH_MS);
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    const before = listReads();
    edge.origins.behave('hangs', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const responses = await Promise.all(Array.from({ length: 1_000 }, () => edge.send(PATH)));
    await arrived;
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(listReads() - before).toBe(1);
    expect(edge.counters.get('edge_revalidated_total')).toBe(1_000);
    expect(edge.counters.get('edge_refreshes_total')).toBe(1);
  });

  test('in the data centre’s cache is served by an isolate without one, refreshed once, and kept in both', async () => {
    await read();
    edge.loseIsolate();
    edge.clock.advance(FRESH_MS);
    expect((await read()).cache).toBe('colo; hit; ttl=0; detail=stale-while-revalidate, isolate; fwd=miss; stored');
    expect(listReads()).toBe(2);
    expect((await read()).cache).toBe('isolate; hit; ttl=21600');
    edge.loseIsolate();
    expect((await read()).cache).toBe('colo; hit; ttl=21600, isolate; fwd=miss; stored');
    expect(listReads()).toBe(2);
  });

  test('is served on when its refresh fails, which is tried again after a second and no sooner', async () => {
    await read();
    edge.clock.advance(FRESH_MS);
    edge.origins.behave('refuses', { path: LISTS });
    for (let i = 0; i < 10; i++) expect((await read()).status).toBe(200);
    expect(listReads()).toBe(1 + 3);
    edge.clock.advance(999);
    await read();
    expect(listReads()).toBe(1 + 3);
    edge.clock.advance(1);
    edge.origins.behave('up');
    await read();
    expect(listReads()).toBe(1 + 3 + 1);
    expect((await read()).cache).toBe('isolate; hit; ttl=21600');
    expect(edge.counters.get('edge_refresh_failures_total')).toBe(1);
  });

  test('is reloaded before the answer after it has been stale for an hour', async () => {
    await read();
    edge.clock.advance(FRESH_MS + HOUR_MS - 1);
    edge.origins.behave('refuses', { path: LISTS });
    expect((await read()).cache).toBe('isolate; hit; ttl=-3600; detail=stale-while-revalidate');
    edge.clock.advance(1_000);
    edge.origins.behave('up');
    expect((await read()).cache).toBe(
      'origin-asia; fwd=miss; fwd-status=200, colo; fwd=stale; stored, isolate; fwd=stale; stored',
    );
  });

  test('is served for a day while every region fails, from any cache, without storing it again', async () => {
    await read();
    edge.origins.behave('refuses', { path: LISTS });
    edge.clock.advance(FRESH_MS + HOUR_MS);
    const path = `${PATH}?fallback=none`;
    const first = await read(path);
    expect(first.cache).toBe(`${ALL_DOWN}, colo; fwd=stale, isolate; hit; ttl=-3600; detail=stale-if-error`);
    expect(first.body).toContain('"a:1"');
    edge.loseIsolate();
    expect((await read(path)).cache).toBe(
      `${ALL_DOWN}, colo; hit; ttl=-3600; detail=stale-if-error, isolate; fwd=miss`,
    );
    edge.clock.advance(23 * HOUR_MS - 1);
    expect((await read(path)).status).toBe(200);
    edge.clock.advance(1);
    expect((await read(path)).status).toBe(503);
    expect(edge.counters.get('edge_stale_if_error_total')).toBe(3);
  });

  test('costs the regions one round of calls a second while they are down, at any rate of reads', async () => {
    await read();
    edge.origins.behave('refuses', { path: LISTS });
    edge.clock.advance(FRESH_MS + HOUR_MS);
    for (let i = 0; i < 50; i++) expect((await read()).status).toBe(200);
    expect(listReads()).toBe(1 + 3);
    edge.clock.advance(1_000);
    await read();
    expect(listReads()).toBe(1 + 6);
  });
});

describe('a hot list', () => {
  test('is refreshed before its time by chance, the likelier the longer it took to get', async () => {
    let chance = 0;
    edge = createHarness({ random: () => chance });
    edge.origins.put(keyOf('ann'), makeList('a'));
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const first = edge.get(PATH);
    await arrived;
    edge.clock.advance(90);
    edge.origins.behave('up');
    edge.origins.release();
    await first;
    // The list took 90 ms. With 300 ms left, the random number must exceed 1 - e^(-300/90) = 0.964.
    edge.clock.advance(FRESH_MS - 90 - 300);
    const before = listReads();
    chance = 0.96;
    await read();
    expect(listReads() - before).toBe(0);
    chance = 0.97;
    expect((await read()).cache).toBe('isolate; hit; ttl=0');
    expect(listReads() - before).toBe(1);
    chance = 0;
    expect((await read()).cache).toMatch(/^isolate; hit; ttl=19\d{3}$/);
    expect(edge.counters.get('edge_revalidated_total')).toBe(0);
  });
});

describe('an expired list', () => {
  test('is never served, from whichever cache', async () => {
    await read();
    edge.clock.advance(30 * HOUR_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    const response = await read();
    expect(response.cache).toBe(COLD);
    expect(response.body).toContain('"new:1"');
  });

  test('is not served either if it expires during the calls to the regions', async () => {
    await read();
    edge.clock.advance(30 * HOUR_MS - 1_000);
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('refuses', { path: LISTS });
    edge.origins.behave('hangs', { region: 'asia', path: LISTS });
    const response = edge.get(PATH);
    await edge.origins.arrival('asia');
    edge.clock.advance(2_000);
    expect((await response).status).toBe(503);
  });
});

describe('absence', () => {
  const path = `${PATH}?fallback=none`;
  const readNobody = async () => (await edge.get(path, { sub: 'nobody', expiresInSeconds: 86_400 })).status;

  test('is served for 30 seconds and then reloaded before the answer', async () => {
    expect(await readNobody()).toBe(404);
    edge.clock.advance(29_999);
    edge.origins.put(keyOf('nobody'), makeList('late'));
    expect(await readNobody()).toBe(404);
    expect(listReads()).toBe(1);
    edge.clock.advance(1);
    expect(await readNobody()).toBe(200);
    expect(listReads()).toBe(2);
  });

  test('is a hit of the isolate once for each read', async () => {
    for (let i = 0; i < 3; i++) await readNobody();
    expect(edge.counters.get('edge_isolate_hits_total')).toBe(2);
    expect(edge.counters.get('edge_reads_total')).toBe(3);
  });

  test('is served for ten more minutes while every region fails', async () => {
    expect(await readNobody()).toBe(404);
    edge.origins.behave('refuses', { path: LISTS });
    edge.clock.advance(629_999);
    expect(await readNobody()).toBe(404);
    edge.clock.advance(1);
    expect(await readNobody()).toBe(503);
  });
});

test('the outcome of a refresh is not in the answer that did not wait for it', async () => {
  await read();
  edge.clock.advance(FRESH_MS);
  await edge.get(PATH, { sub: 'warms-the-manifest' });
  const response = await readUntilAsked('asia');
  expect(response.headers.get('cache-status')).toBe('isolate; hit; ttl=0; detail=stale-while-revalidate');
  expect(response.headers.get('server-timing')).not.toContain('origin');
});
