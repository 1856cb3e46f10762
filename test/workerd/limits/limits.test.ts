// The limits of callers through the worker's app: by address before a token is checked, by subject and service after.
import { beforeEach, describe, expect, test } from 'vitest';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';

const PATH = '/v1/me/recommendations/home';
const BATCH_PATH = '/v1/recommendations:batch';
const LIMITS = {
  address: { perSecond: 1, burst: 30 },
  subject: { perSecond: 10, burst: 20 },
  scopes: { 'recs:read:any': { perSecond: 100, burst: 200 } },
  services: { claim: 'azp', quotas: { mailer: { perSecond: 2, burst: 4 } } },
};
let edge: Harness;

const setUp = (env: object = {}) => {
  edge = createHarness({ env: { RATE_LIMITS: 'on', LIMITS: JSON.stringify(LIMITS), ...env } });
  for (const user of ['ann', 'bob']) edge.origins.put(keyOf(user), makeList(user));
};
beforeEach(() => setUp());

/** Statuses of `count` requests. */
async function ask(count: number, options: GetOptions = {}, path = PATH): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await edge.get(path, options)).status);
  return statuses;
}
const refused = (statuses: readonly number[]): number => statuses.filter((status) => status === 429).length;
const bearer = async (sub: string, more: object = {}) =>
  `Bearer ${await signToken({ nowMs: edge.clock.now(), sub, ...more })}`;
const batchOf = (count: number, more: object = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ reads: Array.from({ length: count }, () => ({ user: 'ann', surface: 'home', ...more })) }),
});

describe('a subject', () => {
  test('has its burst and then its rate, with one token or with many; another subject is not touched', async () => {
    const authorization = await bearer('ann');
    expect(refused(await ask(25, { authorization }))).toBe(5);
    expect(refused(await ask(1, { sub: 'ann' }))).toBe(1);
    expect(refused(await ask(1, { sub: 'bob' }))).toBe(0);
    edge.clock.advance(1_000);
    expect(refused(await ask(15, { authorization }))).toBe(5);
    expect(edge.counters.get('edge_limited_callers_total')).toBe(11);
  });

  test('beyond its limit gets a problem with Retry-After and the RateLimit fields', async () => {
    const authorization = await bearer('ann');
    await ask(20, { authorization });
    const response = await edge.get(PATH, { authorization });
    expect([response.status, await response.json()]).toMatchObject([429, { code: 'rate_limited' }]);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('ratelimit-policy')).toBe('"subject";q=20;w=2');
    expect(response.headers.get('ratelimit')).toBe('"subject";r=0;t=1');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('pays for a batch by its reads, and more for expanded ones', async () => {
    expect((await edge.get(BATCH_PATH, { sub: 'ann', ...batchOf(18) })).status).toBe(200);
    expect((await edge.get(BATCH_PATH, { sub: 'ann', ...batchOf(3) })).status).toBe(429);
    expect((await edge.get(BATCH_PATH, { sub: 'bob', ...batchOf(5, { user: 'bob', expand: 'items' }) })).status).toBe(
      429,
    );
    expect((await edge.get(BATCH_PATH, { sub: 'bob', ...batchOf(3, { user: 'bob', expand: 'items' }) })).status).toBe(
      200,
    );
  });

  test('pays for the bytes of its answers afterwards', async () => {
    edge.origins.put(
      { ...keyOf('ann'), expand: 'items' },
      { ...makeList('a'), bytes: new Uint8Array(400_000).fill(120) },
    );
    const authorization = await bearer('ann');
    expect((await edge.get(`${PATH}?expand=items`, { authorization })).status).toBe(200);
    expect((await edge.get(PATH, { authorization })).status).toBe(429);
  });

  test('with the scope for any user has a limit of its own', async () => {
    const authorization = await bearer('service', { scope: 'recs:read:any' });
    const path = '/v1/users/ann/recommendations/home';
    expect(refused(await ask(210, { authorization }, path))).toBe(10);
  });
});

describe('a service', () => {
  test('with a quota has that, whatever subject its token names', async () => {
    const first = await bearer('service-1', { claims: { azp: 'mailer' }, scope: 'recs:read:any' });
    const second = await bearer('service-2', { claims: { azp: 'mailer' }, scope: 'recs:read:any' });
    const path = '/v1/users/ann/recommendations/home';
    expect(refused(await ask(3, { authorization: first }, path))).toBe(0);
    expect(refused(await ask(3, { authorization: second }, path))).toBe(2);
  });

  test('is no listener of an app: their tokens name one client, and share no quota', async () => {
    const claims = { azp: 'mailer' };
    expect(refused(await ask(10, { authorization: await bearer('ann', { claims }) }))).toBe(0);
    expect(refused(await ask(10, { authorization: await bearer('bob', { claims }) }))).toBe(0);
  });

  test('has its cost counted by name, and the number of names is bounded', async () => {
    const scope = 'recs:read:any recs:status';
    const authorization = await bearer('service', { claims: { azp: 'mailer' }, scope });
    await ask(5, { authorization }, '/v1/users/ann/recommendations/home');
    for (let i = 0; i < 60; i++)
      await ask(1, { authorization: await bearer(`s${i}`, { claims: { azp: `service-${i}` }, scope }) });
    const status = await edge.get('/internal/v1/status', { sub: 'ops', scope: 'recs:status' });
    const { callers } = (await status.json()) as { callers: { service: string; reads: number; refused: number }[] };
    expect(callers[0]).toMatchObject({ service: 'mailer', reads: 4, originReads: 1, refused: 1 });
    expect(callers.length).toBeLessThanOrEqual(52);
    expect(callers.find(({ service }) => service === 'other')?.reads).toBe(11);
  });
});

describe('an address', () => {
  const headers = { 'cf-connecting-ip': '198.51.100.7' };
  const forged = async (i: number) => `${(await bearer('ann')).slice(0, -43)}${String(i).padStart(43, 'A')}`;

  test('that sends forged tokens is refused before their signatures are checked', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 100; i++) statuses.push(...(await ask(1, { authorization: await forged(i), headers })));
    expect(statuses.filter((status) => status === 401)).toHaveLength(3);
    expect(refused(statuses)).toBe(97);
    expect(edge.counters.get('edge_rejected_tokens_total')).toBe(3);
    expect(edge.counters.get('edge_limited_addresses_total')).toBe(97);
  });

  test('does not bind a remembered token behind it, nor another address', async () => {
    const authorization = await bearer('ann');
    expect(await ask(1, { authorization, headers })).toEqual([200]);
    for (let i = 0; i < 20; i++) await ask(1, { authorization: await forged(i), headers });
    expect(await ask(1, { authorization, headers })).toEqual([200]);
    expect(await ask(1, { sub: 'bob', headers: { 'cf-connecting-ip': '198.51.100.8' } })).toEqual([200]);
    expect(await ask(1, { sub: 'eve', headers })).toEqual([429]);
  });
});

test('RATE_LIMITS=off switches all limits off', async () => {
  setUp({ RATE_LIMITS: 'off' });
  const authorization = await bearer('ann');
  expect(refused(await ask(100, { authorization, headers: { 'cf-connecting-ip': '198.51.100.7' } }))).toBe(0);
});

test('a hit does not ask the binding, and a read that leaves the isolate does', async () => {
  const asked: string[] = [];
  const limiter = { limit: async ({ key }: { key: string }) => ({ success: asked.push(key) <= 2 }) };
  edge = createHarness({ env: { RATE_LIMITS: 'on' }, limiter });
  edge.origins.put(keyOf('ann'), makeList('ann'));
  const authorization = await bearer('ann');
  expect(await ask(3, { authorization })).toEqual([200, 200, 200]);
  expect(asked).toEqual(['subject ann']);
  edge.loseIsolate();
  expect(await ask(1, { sub: 'bob' })).toEqual([404]);
  const response = await edge.get(PATH, { sub: 'eve' });
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '10']);
});
