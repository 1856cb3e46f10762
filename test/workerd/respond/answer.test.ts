// The answer: the body cut to the limit, and the headers that let the listener's device cache it.
import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a', 100));
  edge.origins.put(keyOf('short'), makeList('s', 7));
  edge.origins.put(keyOf('empty'), makeList('e', 0));
});

describe('the body', () => {
  test('is the stored bytes between what they belong to', async () => {
    expect(await (await edge.get(`${PATH}?limit=2`)).text()).toBe(
      '{"user":"ann","surface":"home","variant":"control","generation":"2026-11-22T03:00:00.000Z","source":"personal",' +
        '"items":[{"id":"a:1","score":1},\n{"id":"a:2","score":0.999}]}',
    );
  });

  test.each([
    { sub: 'ann', query: '', count: 50 },
    { sub: 'ann', query: '?limit=1', count: 1 },
    { sub: 'ann', query: '?limit=50', count: 50 },
    { sub: 'ann', query: '?limit=99', count: 99 },
    { sub: 'ann', query: '?limit=100', count: 100 },
    { sub: 'short', query: '?limit=7', count: 7 },
    { sub: 'short', query: '?limit=8', count: 7 },
    { sub: 'empty', query: '?limit=1', count: 0 },
  ])('for $sub with "$query" holds the first $count items', async ({ sub, query, count }) => {
    const { items } = (await (await edge.get(PATH + query, { sub })).json()) as { items: { id: string }[] };
    const label = sub.slice(0, 1);
    expect(items.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, i) => `${label}:${i + 1}`));
  });

  test('has a length', async () => {
    const response = await edge.get(PATH);
    const length = (await response.arrayBuffer()).byteLength;
    expect(length).toBeGreaterThan(1000);
    expect(response.headers.get('content-type')).toBe('application/json');
  });
});

describe('If-None-Match', () => {
  test.each([
    ['the tag', (etag: string) => etag, 304],
    ['the tag in its weak form', (etag: string) => `W/${etag}`, 304],
    ['one of several tags', (etag: string) => `"other", W/"x,y" , ${etag}`, 304],
    ['anything', () => '*', 304],
    ['another tag', () => '"other"', 200],
    ['the tag without its quotes', (etag: string) => etag.slice(1, -1), 200],
    ['nothing', () => '', 200],
  ] as const)('with %s', async (_, header, status) => {
    const first = await edge.get(PATH);
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"digest-a-[0-9a-f]{16}-50"$/);
    const second = await edge.get(PATH, { headers: { 'if-none-match': header(etag) } });
    expect(second.status).toBe(status);
    expect(second.headers.get('etag')).toBe(etag);
    expect(second.headers.get('vary')).toBe('Authorization');
    expect(second.headers.get('cache-control')).toBe('private, max-age=60');
    expect(second.headers.get('cache-status')).toBe('isolate; hit; ttl=21600');
    if (status === 304) expect(await second.text()).toBe('');
  });

  test('does not match the answer with another limit, user or source', async () => {
    edge.origins.put(keyOf('~popular'), makeList('a'));
    edge.origins.put(keyOf('bob'), makeList('a'));
    const etags = [
      await edge.get(PATH),
      await edge.get(`${PATH}?limit=49`),
      await edge.get(PATH, { sub: 'bob' }),
      await edge.get(PATH, { sub: 'nobody' }),
    ].map((response) => response.headers.get('etag'));
    expect(new Set(etags).size).toBe(4);
  });
});

describe('the headers', () => {
  /** Seconds for which a cache may keep the answer from now on (RFC 9111, sections 4.2.1 and 4.2.3). */
  const keepSecondsOf = ({ headers }: Response): number =>
    Number(/^private, max-age=(\d+)$/.exec(headers.get('cache-control') ?? '')?.[1]) - Number(headers.get('age') ?? 0);

  test('let only the listener’s own device keep an answer, for as long from an old entry as from a new one', async () => {
    for (const ageMs of [0, 4_000, 296_000]) {
      edge.clock.advance(ageMs);
      expect(keepSecondsOf(await edge.get(PATH))).toBe(60);
    }
  });

  test('let it keep the answer for as long in an outage, whether the list is cached, stale, or the one popular list', async () => {
    edge = createHarness({ env: { DEVICE_MAX_AGE_SECONDS: '90' } });
    edge.origins.put(keyOf('ann'), makeList('a'));
    edge.origins.put(keyOf('~popular'), makeList('p'));
    await edge.get(PATH);
    await edge.get(PATH, { sub: 'nobody' });
    edge.origins.behave('refuses');
    for (const ageMs of [92_000, 3_600_000, 20 * 3_600_000]) {
      edge.clock.advance(ageMs);
      const response = await edge.get(PATH);
      expect([response.status, keepSecondsOf(response)]).toEqual([200, 90]);
      const revalidated = await edge.get(PATH, { headers: { 'if-none-match': '*' } });
      expect([revalidated.status, keepSecondsOf(revalidated)]).toEqual([304, 90]);
    }
    const fallback = await edge.get(PATH, { sub: 'stranger' });
    expect(await fallback.json()).toMatchObject({ source: 'popular' });
    expect(keepSecondsOf(fallback)).toBe(5);
  });

  test('say how long each step took', async () => {
    const steps = (response: Response) => (response.headers.get('server-timing') ?? '').split(', ');
    expect(steps(await edge.get(PATH))).toEqual([
      'token;dur=0',
      'manifest;dur=0',
      'colo;dur=0',
      'origin;desc="asia";dur=0',
    ]);
    expect(steps(await edge.get(PATH))).toEqual(['token;dur=0', 'manifest;dur=0']);
  });

  test('forbid sniffing, on answers and on problems', async () => {
    const responses = [await edge.get(PATH), await edge.get('/nowhere'), await edge.get(PATH, { authorization: null })];
    expect(responses.map(({ status, headers }) => [status, headers.get('x-content-type-options')])).toEqual([
      [200, 'nosniff'],
      [404, 'nosniff'],
      [401, 'nosniff'],
    ]);
  });

  test('are the same for HEAD and GET, without a body', async () => {
    await edge.get(PATH);
    const [get, head] = [await edge.get(PATH), await edge.get(PATH, { method: 'HEAD' })];
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    for (const name of ['etag', 'cache-control', 'cache-status', 'content-type', 'vary']) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
  });
});
