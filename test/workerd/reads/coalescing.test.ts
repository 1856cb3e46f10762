// Concurrent reads of one list in one isolate: one loads, and all get the list.
import { beforeEach, describe, expect, test } from 'vitest';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';

const LISTS = '/internal/v1/lists:read';
const pathOf = (user: string) => `/v1/users/${user}/recommendations/home?fallback=none`;
let edge: Harness;
let authorization: string;

beforeEach(() => setUp());

async function setUp(env: object = {}): Promise<void> {
  edge = createHarness({ env });
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(keyOf('warm'), makeList('w'));
  const scope = 'recs:read:any';
  authorization = `Bearer ${await signToken({ nowMs: edge.clock.now(), sub: 'service', scope })}`;
  // The token and the manifest are cached, so that only the list is cold.
  await edge.get(pathOf('warm'), { authorization });
}

const ask = (user: string) => edge.send(pathOf(user), { authorization });
const askMany = (count: number, user: string) => Promise.all(Array.from({ length: count }, () => ask(user)));
const coldReads = () => edge.origins.listReads().length - 1;

describe('a cold list', () => {
  test('with 10 000 concurrent clients reaches the origin once, and every client gets the right bytes', async () => {
    const responses = await askMany(10_000, 'ann');
    const bodies = await Promise.all(responses.map((response) => response.text()));
    expect(new Set(bodies).size).toBe(1);
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ user: 'ann', items: Array(50).fill({}) });
    expect(coldReads()).toBe(1);
    expect(edge.counters.get('edge_collapsed_total')).toBe(9_999);
  });

  test('reports its source to the leader, and the wait to the followers', async () => {
    const [leader, follower] = await askMany(2, 'ann');
    expect(leader?.headers.get('cache-status')).toBe(
      'origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored',
    );
    expect(follower?.headers.get('cache-status')).toBe('isolate; fwd=miss; stored; collapsed');
    expect(follower?.headers.get('etag')).toBe(leader?.headers.get('etag'));
  });

  test('does not delay or answer the read of another user', async () => {
    edge.origins.put(keyOf('bob'), makeList('b'));
    const [ann, bob] = await Promise.all([ask('ann'), ask('bob')]);
    expect(await ann?.json()).toMatchObject({ user: 'ann', items: expect.arrayContaining([{ id: 'a:1', score: 1 }]) });
    expect(await bob?.json()).toMatchObject({ user: 'bob', items: expect.arrayContaining([{ id: 'b:1', score: 1 }]) });
    expect(coldReads()).toBe(2);
  });

  test('that does not exist is loaded once, too', async () => {
    const responses = await askMany(100, 'nobody');
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([404]));
    expect(coldReads()).toBe(1);
  });

  test('is loaded once more for all followers after its leader failed in every region', async () => {
    edge.origins.behave('refuses', { path: LISTS, times: 1 });
    const statuses = (await askMany(100, 'ann')).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(99);
    expect(coldReads()).toBe(3 + 1);
  });

  test('that is unavailable does not cost a load per client', async () => {
    edge.origins.behave('refuses', { path: LISTS });
    const responses = await askMany(100, 'ann');
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([503]));
    expect(coldReads()).toBe(2 * 3);
  });

  test('that takes too long is not awaited to its end: a follower leaves with time to spare', async () => {
    await setUp({ ...ONE_REGION, ORIGIN_TIMEOUT_MS: '5000' });
    edge.origins.behave('hangs', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const leader = ask('ann');
    await arrived;
    const follower = await drive(edge.clock, ask('ann'));
    expect(follower.value.status).toBe(503);
    expect(follower.tookMs).toBeGreaterThanOrEqual(4000);
    expect(follower.tookMs).toBeLessThan(4500);
    expect((await drive(edge.clock, leader)).value.status).toBe(503);
    expect(coldReads()).toBe(1);
  });
});
