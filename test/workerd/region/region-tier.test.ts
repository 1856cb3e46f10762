// The region tier: real Durable Objects over RPC, on the harness's clock, in front of its scripted origins. Long,
// because all tests share the isolates in three places and their counters.
import { beforeEach, describe, expect, test } from 'vitest';
import type { RegionAnswer } from '../../../edge/region/protocol.ts';
import { BYPASS_MS } from '../../../edge/region/region-objects.ts';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import { batchOptions, POST_PATH, readsOf } from '../support/batches.ts';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness, type Isolate, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';
import { turnUntil } from '../support/turns.ts';

const LISTS = '/internal/v1/lists:read';
const HOUR_MS = 3_600_000;
const ON = { REGION_TIER: 'on' };
const NEAR = {
  asia: { latitude: '35.7', longitude: '139.7' },
  europe: { latitude: '50.4', longitude: '3.8' },
  us: { latitude: '41.2', longitude: '-95.8' },
} as const;
const COLD = 'region-asia; fwd=miss; stored, colo; fwd=miss; stored, isolate; fwd=miss; stored';

let edge: Harness;
let authorization: string;

async function setUp(harness: Harness): Promise<void> {
  edge = harness;
  edge.origins.put(keyOf('ann'), makeList('a'));
  const claims = { sub: 'service', scope: 'recs:read:any', expiresInSeconds: 86_400 * 7 };
  authorization = `Bearer ${await signToken({ nowMs: edge.clock.now(), ...claims })}`;
}

beforeEach(() => setUp(createHarness({ env: ON })));

const pathOf = (user: string) => `/v1/users/${user}/recommendations/home?fallback=none`;
const ask = (isolate: Isolate, user: string, near: keyof typeof NEAR = 'asia') =>
  isolate.send(pathOf(user), { authorization, cf: NEAR[near] });
const read = async (isolate: Isolate, user = 'ann', near: keyof typeof NEAR = 'asia') => {
  const response = await isolate.get(pathOf(user), { authorization, cf: NEAR[near] });
  return { status: response.status, cache: response.headers.get('cache-status'), body: await response.text() };
};
/** An isolate with a cached token and manifest, so that only lists are cold. */
async function warmIsolate(near: keyof typeof NEAR = 'asia'): Promise<Isolate> {
  const isolate = edge.addIsolate();
  await read(isolate, 'nobody', near);
  return isolate;
}
const listCalls = () => edge.origins.calls.filter(({ path }) => path === LISTS);
const callsFor = (user: string) => listCalls().filter(({ keys }) => keys.some((key) => key.user === user));

describe('a cold list', () => {
  test('is loaded through the object of the nearest region, which keeps it for the isolates of every data centre', async () => {
    const first = await read(edge.addIsolate());
    expect(first.cache).toBe(`origin-asia; fwd=miss; fwd-status=200, ${COLD}`);
    edge.clock.advance(2_000);
    const second = await read(edge.addIsolate());
    expect(second.cache).toBe('region-asia; hit; ttl=21598, colo; fwd=miss; stored, isolate; fwd=miss; stored');
    expect(second.body).toBe(first.body);
    expect(callsFor('ann')).toHaveLength(1);
    expect(edge.counters.get('region_hits_total')).toBe(1);
  });

  describe('with 10 000 clients of 15 isolates in three regions', () => {
    const regions = ['asia', 'europe', 'us'] as const;

    /** The answers in any order, and the number of calls to each region's origin. */
    async function askAll(user: string) {
      const isolates = await Promise.all(
        regions.flatMap((near) => Array.from({ length: 5 }, async () => ({ near, isolate: await warmIsolate(near) }))),
      );
      const answers = Promise.all(
        Array.from({ length: 10_000 }, async (_, i) => {
          const { near, isolate } = isolates[i % isolates.length] as (typeof isolates)[number];
          const response = await ask(isolate, user, near);
          return { status: response.status, body: await response.text() };
        }),
      );
      return { isolates, answers };
    }
    const callsByRegion = (user: string) =>
      regions.map((region) => callsFor(user).filter((call) => call.region === region).length);
    const expectAllToHave = (answers: readonly { status: number; body: string }[]) => {
      expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
      expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ user: 'ann', items: Array(50).fill({}) });
    };

    test('reaches the origin once per region, and every client gets the right bytes', async () => {
      const { isolates, answers } = await askAll('ann');
      expectAllToHave(await answers);
      expect(callsByRegion('ann')).toEqual([1, 1, 1]);
      // One call per isolate to its region's object; the other reads waited in their isolates.
      expect(edge.counters.get('edge_collapsed_total')).toBe(10_000 - isolates.length);
    });

    test('and that does not exist, once per region too', async () => {
      const { answers } = await askAll('stranger');
      expect(new Set((await answers).map(({ status }) => status))).toEqual(new Set([404]));
      expect(callsByRegion('stranger')).toEqual([1, 1, 1]);
    });

    test('whose first load fails in every region is loaded once more, and every client gets it', async () => {
      edge.origins.put(keyOf('nobody'), makeList('n'));
      const { answers } = await askAllBehaving('slow-fails');
      expectAllToHave((await drive(edge.clock, answers, 20, () => edge.origins.release())).value);
      expectOneMore();
    });

    test('whose first load hangs in every region is loaded once more, and every client gets it', async () => {
      const { answers } = await askAllBehaving('hangs');
      expectAllToHave((await drive(edge.clock, answers)).value);
      expectOneMore();
    });

    function expectOneMore(): void {
      const calls = callsByRegion('ann');
      expect(Math.max(...calls)).toBe(2);
      expect(Math.min(...calls)).toBeGreaterThan(0);
    }

    /** The first call for lists to each region has this behaviour, after the isolates are warm. */
    async function askAllBehaving(behaviour: 'slow-fails' | 'hangs') {
      for (const near of regions) await warmIsolate(near);
      edge.origins.behave(behaviour, { path: LISTS, times: 1 });
      return askAll('ann');
    }
  });

  test('does not answer the read of another user, whatever their ids are', async () => {
    const users = ['a', 'A', 'a.b', '..', '.', '%2F', 'a:1', 'a@b', '-', '~x'].filter((user) => !/[%~]/.test(user));
    for (const user of users) edge.origins.put(keyOf(user), makeList(`of-${users.indexOf(user)}`, 2));
    const isolate = await warmIsolate();
    const reads = await Promise.all(
      users.map((user) => read(isolate, encodeURIComponent(user).replaceAll('.', '%2E'))),
    );
    for (const [i, { status, body }] of reads.entries()) {
      if (status === 200) expect(JSON.parse(body)).toMatchObject({ items: [{ id: `of-${i}:1` }, {}] });
    }
    expect(reads.filter(({ status }) => status === 200).length).toBeGreaterThan(5);
  });

  test('that does not exist is loaded once, and the object caches the absence for 30 seconds', async () => {
    for (let i = 0; i < 3; i++) expect((await read(edge.addIsolate(), 'nobody')).status).toBe(404);
    expect(callsFor('nobody')).toHaveLength(1);
    edge.clock.advance(29_999);
    await read(edge.addIsolate(), 'nobody');
    expect(callsFor('nobody')).toHaveLength(1);
    edge.clock.advance(1);
    await read(edge.addIsolate(), 'nobody');
    expect(callsFor('nobody')).toHaveLength(2);
  });
});

describe('distinct cold lists', () => {
  test('1 000 at once reach the origin in at most 20 calls, and each user gets their own', async () => {
    const users = Array.from({ length: 1_000 }, (_, i) => `u${i}`);
    for (const user of users) edge.origins.put(keyOf(user), makeList(user, 2));
    const isolate = await warmIsolate();
    const before = listCalls().length;
    const readsBefore = edge.counters.get('region_reads_total');
    edge.origins.behave('slow', { path: LISTS });
    const responses = Promise.all(users.map((user) => ask(isolate, user)));
    await turnUntil(() => edge.counters.get('region_reads_total') - readsBefore === 1_000);
    edge.origins.behave('up');
    edge.origins.release();
    const bodies = await Promise.all((await responses).map((response) => response.json()));
    for (const [i, user] of users.entries())
      expect(bodies[i]).toMatchObject({ user, items: [{ id: `${user}:1` }, {}] });
    const calls = listCalls().slice(before);
    expect(calls.length).toBeLessThanOrEqual(20);
    expect(calls.flatMap(({ keys }) => keys)).toHaveLength(1_000);
  });

  test('in a batch are one call per shard of their users, and cached ones are in no call', async () => {
    const users = Array.from({ length: 100 }, (_, i) => `u${i}`);
    for (const user of users) edge.origins.put(keyOf(user), makeList(user, 2));
    const isolate = await warmIsolate();
    for (const user of users.slice(0, 10)) await read(isolate, user);
    const [callsBefore, readsBefore] = [listCalls().length, edge.counters.get('region_reads_total')];
    const shardsBefore = edge.counters.get('edge_region_calls_total');
    const body = JSON.stringify({ reads: readsOf(users) });
    const response = await isolate.get(POST_PATH, { ...batchOptions(body), authorization });
    const { results } = (await response.json()) as { results: { status: number; user: string; items: object[] }[] };
    expect(results.map(({ user, items }) => [user, items])).toEqual(
      users.map((user) => [
        user,
        [
          { id: `${user}:1`, score: 1 },
          { id: `${user}:2`, score: 0.999 },
        ],
      ]),
    );
    expect(edge.counters.get('region_reads_total') - readsBefore).toBe(90);
    expect(edge.counters.get('edge_region_calls_total') - shardsBefore).toBeLessThanOrEqual(8);
    expect(listCalls().length - callsBefore).toBeLessThanOrEqual(8);
  });

  test('that come while a call is out leave together when it returns; the first leaves at once', async () => {
    await setUp(createHarness({ env: { ...ON, REGION_SHARDS: '1' } }));
    for (const user of ['b', 'c', 'd']) edge.origins.put(keyOf(user), makeList(user, 2));
    const isolate = await warmIsolate();
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const first = ask(isolate, 'ann');
    await arrived;
    const waiting = ['b', 'c', 'd'].map((user) => ask(isolate, user));
    await turnUntil(() => edge.counters.get('edge_region_calls_total') === 5);
    await scheduler.wait(0);
    edge.origins.behave('up');
    const together = edge.origins.arrival('asia');
    edge.origins.release();
    await together;
    const responses = await Promise.all([first, ...waiting]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(
      listCalls()
        .slice(-2)
        .map(({ keys }) => keys.map(({ user }) => user)),
    ).toEqual([['ann'], ['b', 'c', 'd']]);
  });

  test('do not wait for long behind a call that hangs', async () => {
    await setUp(createHarness({ env: { ...ON, REGION_SHARDS: '1' } }));
    edge.origins.put(keyOf('b'), makeList('b', 2));
    const isolate = await warmIsolate();
    edge.origins.behave('hangs', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const hanging = ask(isolate, 'ann');
    await arrived;
    edge.origins.behave('up');
    const { value, tookMs } = await drive(edge.clock, ask(isolate, 'b'), 5);
    expect(value.status).toBe(200);
    expect(tookMs).toBeLessThanOrEqual(40);
    await drive(edge.clock, hanging);
  });
});

test('an object that has too many waiting refuses what it does not hold, which is read without it, and gives what it holds', async () => {
  await setUp(createHarness({ env: { ...ON, REGION_SHARDS: '1' } }));
  const users = Array.from({ length: 40 * 100 }, (_, i) => `u${i}`);
  for (const user of users) edge.origins.put(keyOf(user), makeList(user, 1));
  await read(edge.addIsolate());
  const isolate = await warmIsolate();
  edge.origins.behave('slow', { path: LISTS });
  const batches = Array.from({ length: 40 }, (_, i) =>
    JSON.stringify({ reads: readsOf(users.slice(i * 100, i * 100 + 100)) }),
  );
  const answers = Promise.all(batches.map((body) => isolate.send(POST_PATH, { ...batchOptions(body), authorization })));
  await turnUntil(() => edge.counters.get('region_shed_total') > 0);
  const held = await ask(edge.addIsolate(), 'ann');
  expect(held.headers.get('cache-status')).toMatch(/^region-asia; hit/);
  edge.origins.behave('up');
  edge.origins.release();
  const results = (await Promise.all((await answers).map((response) => response.json()))) as {
    results: { status: number; user: string }[];
  }[];
  expect(results.flatMap((batch) => batch.results.map(({ status, user }) => `${status} ${user}`))).toEqual(
    users.map((user) => `200 ${user}`),
  );
  expect(edge.counters.get('edge_region_bypasses_total')).toBeGreaterThan(0);
});

describe('a load in the object', () => {
  test('continues after its caller has cancelled, and serves the next read', async () => {
    const isolate = await warmIsolate();
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const gone = new AbortController();
    const given = isolate.send(pathOf('ann'), { authorization, cf: NEAR.asia, signal: gone.signal });
    await arrived;
    gone.abort();
    edge.origins.behave('refuses', { path: LISTS });
    edge.origins.release();
    await given.catch(() => {});
    expect((await read(edge.addIsolate())).status).toBe(200);
    expect(callsFor('ann')).toHaveLength(1);
  });

  test.each([
    ['fails', 'slow-fails'],
    ['hangs', 'hangs'],
  ] as const)('that %s for 20 isolates at once costs their region two calls at most', async (_, behaviour) => {
    const isolates = await Promise.all(Array.from({ length: 20 }, () => warmIsolate()));
    const readsBefore = edge.counters.get('region_reads_total');
    edge.origins.behave(behaviour, { region: 'asia', path: LISTS });
    const asked = Promise.all(isolates.map(async (isolate) => (await ask(isolate, 'ann')).status));
    await turnUntil(() => edge.counters.get('region_reads_total') - readsBefore >= isolates.length);
    const { value } = await drive(edge.clock, asked, 20, () => edge.origins.release());
    expect(value).toEqual(isolates.map(() => 200));
    expect(callsFor('ann').filter(({ region }) => region === 'asia').length).toBeLessThanOrEqual(2);
    expect(callsFor('ann').filter(({ region }) => region !== 'asia').length).toBeLessThanOrEqual(2);
  });

  test('that fails is failed over to the next region’s object', async () => {
    edge.origins.behave(503, { region: 'asia', path: LISTS });
    expect((await read(edge.addIsolate())).cache).toBe(
      'origin-asia; fwd=miss; fwd-status=503, region-asia; fwd=miss, origin-us; fwd=miss; fwd-status=200, region-us; fwd=miss; stored, colo; fwd=miss; stored, isolate; fwd=miss; stored',
    );
  });

  test('that takes too long is cancelled, as far as the origin, when the next region has answered', async () => {
    const isolate = await warmIsolate();
    edge.origins.behave('hangs', { region: 'asia', path: LISTS });
    const { value, tookMs } = await drive(edge.clock, ask(isolate, 'ann'));
    expect(value.status).toBe(200);
    expect(value.headers.get('cache-status')).toMatch(/^origin-asia; fwd=miss; detail=cancelled, origin-us; fwd=miss;/);
    expect(tookMs).toBeLessThan(500);
    const [inAsia] = callsFor('ann');
    await turnUntil(() => inAsia?.signal?.aborted === true);
    expect(edge.counters.get('region_cancelled_total')).toBe(1);
    expect(edge.logs.map(({ event }) => event)).not.toContain('region_failed');
  });
});

describe('a stale list in the object', () => {
  test('is served while the object refreshes it, once', async () => {
    await read(edge.addIsolate());
    edge.clock.advance(6 * HOUR_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => read(edge.addIsolate())));
    expect(first?.cache).toBe(
      'region-asia; hit; ttl=0; detail=stale-while-revalidate, colo; fwd=miss; stored, isolate; fwd=miss; stored',
    );
    expect(others.every(({ status }) => status === 200)).toBe(true);
    expect(callsFor('ann')).toHaveLength(2);
    expect((await read(edge.addIsolate())).body).toContain('"new:1"');
  });

  test('is the last resort: the next region comes first', async () => {
    await read(edge.addIsolate());
    edge.clock.advance(8 * HOUR_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    edge.origins.behave('refuses', { region: 'asia', path: LISTS });
    expect((await read(edge.addIsolate())).body).toContain('"new:1"');
    edge.clock.advance(8 * HOUR_MS);
    edge.origins.behave('refuses', { path: LISTS });
    const { status, cache } = await read(edge.addIsolate());
    expect(status).toBe(200);
    expect(cache).toContain('stale-if-error');
  });

  test('is refreshed once for isolates that refresh theirs', async () => {
    const isolates = await Promise.all(Array.from({ length: 4 }, () => warmIsolate()));
    for (const isolate of isolates) await read(isolate);
    edge.clock.advance(6 * HOUR_MS);
    edge.origins.put(keyOf('ann'), makeList('new'));
    await Promise.all(isolates.map((isolate) => read(isolate)));
    expect(callsFor('ann')).toHaveLength(2);
    for (const isolate of isolates) expect((await read(isolate)).body).toContain('"new:1"');
    expect(callsFor('ann')).toHaveLength(2);
  });
});

test('the object serves no entry from before an erasure, and serves later ones', async () => {
  await read(edge.addIsolate());
  edge.clock.advance(10_000);
  const erasures = [{ userHash: makeUserHash('ann'), atMs: edge.clock.now() }];
  edge.origins.publish(makeManifest({ version: 2, erasures }));
  edge.origins.put(keyOf('ann'), makeList('after'));
  const first = await read(edge.addIsolate());
  expect(first.body).toContain('"after:1"');
  expect(first.cache).toContain('region-asia; fwd=miss');
  expect((await read(edge.addIsolate())).cache).toContain('region-asia; hit');
  expect(callsFor('ann')).toHaveLength(2);
});

test('a load in the object that an erasure overtook is returned to its callers, and not stored', async () => {
  const isolate = await warmIsolate();
  edge.clock.advance(1_000);
  edge.origins.behave('slow', { path: LISTS });
  const arrived = edge.origins.arrival('asia');
  const before = ask(isolate, 'ann');
  await arrived;
  edge.clock.advance(100);
  edge.origins.publish(
    makeManifest({ version: 2, erasures: [{ userHash: makeUserHash('ann'), atMs: edge.clock.now() }] }),
  );
  const readsBefore = edge.counters.get('region_reads_total');
  const after = ask(edge.addIsolate(), 'ann');
  await turnUntil(() => edge.counters.get('region_reads_total') > readsBefore);
  edge.origins.behave('up');
  edge.origins.put(keyOf('ann'), makeList('after'));
  edge.origins.release();
  expect(await (await before).text()).toContain('"a:1"');
  expect(await (await after).text()).toContain('"after:1"');
  expect(edge.counters.get('region_fenced_total')).toBe(1);
  expect((await read(edge.addIsolate())).body).toContain('"after:1"');
  expect(callsFor('ann')).toHaveLength(2);
});

test('all origins gone for 60 seconds: no list with an earlier read is refused, whatever the isolates and data centres have lost', async () => {
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  for (const user of users.slice(0, 15)) edge.origins.put(keyOf(user), makeList(user, 2));
  for (const near of ['asia', 'europe', 'us'] as const) {
    const isolate = edge.addIsolate();
    for (const user of users) await read(isolate, user, near);
  }
  for (const ageMs of [0, 6 * HOUR_MS, 20 * HOUR_MS]) {
    await setUpAges(ageMs);
    const isolate = await warmIsolate();
    edge.origins.behave('refuses');
    for (let second = 0; second < 60; second += 10) {
      const statuses = await Promise.all(users.map(async (user) => (await read(isolate, user)).status));
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
      edge.clock.advance(10_000);
    }
    edge.origins.behave('up');
    edge.clock.advance(10_000);
  }
});

async function setUpAges(ageMs: number): Promise<void> {
  const isolate = edge.addIsolate();
  edge.clock.advance(ageMs);
  // Absence is cached for ten minutes, lists for a day.
  for (let i = 15; i < 20; i++) await read(isolate, `u${i}`);
}

describe('the worker goes on without an object', () => {
  const cancel = async (): Promise<void> => {};
  const failing = (answer: () => Promise<RegionAnswer>) =>
    createHarness({ env: { ...ON, ...ONE_REGION }, findObject: () => () => ({ read: answer, cancel }) });
  const direct = (detail: string) =>
    `origin-asia; fwd=miss; fwd-status=200, region-asia; fwd=bypass; detail=${detail}, colo; fwd=miss; stored, isolate; fwd=miss; stored`;

  test.each([
    ['that is overloaded, by its own account', async () => ({ kind: 'overloaded' }) as const, 'overloaded'],
    [
      'that is overloaded, by the runtime’s account',
      () => Promise.reject(Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true })),
      'overloaded',
    ],
    ['that is broken', () => Promise.reject(new Error('boom')), 'error'],
  ])('%s', async (_, answer, detail) => {
    await setUp(failing(answer));
    const response = await read(edge.addIsolate());
    expect(response.status).toBe(200);
    expect(response.cache).toBe(direct(detail));
    expect(edge.counters.get('edge_region_failures_total')).toBe(1);
    expect(edge.logs.map(({ event }) => event)).toContain('region_object_failed');
  });

  test('that does not answer, in time', async () => {
    await setUp(failing(() => new Promise(() => {})));
    const isolate = edge.addIsolate();
    const { value, tookMs } = await drive(edge.clock, ask(isolate, 'ann'));
    expect(value.status).toBe(200);
    expect(value.headers.get('cache-status')).toBe(direct('timeout'));
    expect(tookMs).toBeLessThanOrEqual(2_000);
  });

  test('and leaves one that failed alone for two seconds', async () => {
    let calls = 0;
    await setUp(
      createHarness({
        env: { ...ON, REGION_SHARDS: '1' },
        findObject: (found) => (name, hint) =>
          ++calls === 1 ? { read: () => Promise.reject(new Error('boom')), cancel } : found(name, hint),
      }),
    );
    for (const user of ['b', 'c', 'd']) edge.origins.put(keyOf(user), makeList(user, 2));
    const isolate = edge.addIsolate();
    expect((await read(isolate, 'ann')).cache).toContain('detail=error');
    expect((await read(isolate, 'b')).cache).toContain('region-asia; fwd=bypass; detail=failed');
    edge.clock.advance(BYPASS_MS - 1);
    await read(isolate, 'c');
    expect(calls).toBe(1);
    edge.clock.advance(1);
    expect((await read(isolate, 'd')).cache).toContain('region-asia; fwd=miss');
    expect(calls).toBe(2);
  });

  test('where none is bound, and says so once', async () => {
    await setUp(createHarness({ env: ON, findObject: () => undefined }));
    const { status, cache } = await read(edge);
    expect(status).toBe(200);
    expect(cache).toBe('origin-asia; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored');
    expect(edge.logs.filter(({ event }) => event === 'region_tier_missing')).toHaveLength(1);
  });

  test('when the tier is switched off', async () => {
    await setUp(createHarness({ env: { REGION_TIER: 'off' } }));
    expect((await read(edge)).cache).not.toContain('region');
    expect(edge.counters.get('edge_region_calls_total')).toBe(0);
  });
});
