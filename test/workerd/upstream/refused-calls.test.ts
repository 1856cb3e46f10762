// A 4xx of an origin is about a call or one of its keys: no region is ejected for it, and no other caller loses a list.
import { describe, expect, test } from 'vitest';
import { REFUSALS, REFUSING_MS } from '../../../edge/upstream/region-backoff.ts';
import { MAX_CALLS, readSplitting } from '../../../edge/upstream/split-refused.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { readBatch, readsOf } from '../support/batches.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const LISTS = '/internal/v1/lists:read';
const REFUSED = [400, 401, 403, 404, 405, 409, 413, 414, 415, 418, 422, 431, 451];

function setUp(env: object = {}): Harness {
  const edge = createHarness({ env });
  for (let i = 0; i < 60; i++) edge.origins.put(keyOf(`u${i}`), makeList(`u${i}`));
  return edge;
}

const readStatus = async (edge: Harness) =>
  edgeStatusSchema.parse(await (await edge.get(STATUS_PATH, { sub: 'service', scope: 'recs:status' })).json());

describe.each(REFUSED)('a user whose calls get %i everywhere', (status) => {
  test('ejects no region, and other users read on', async () => {
    const edge = setUp();
    for (let i = 0; i < 24; i++) edge.origins.refuse(`bad${i}`, status);
    for (let i = 0; i < 24; i++) {
      expect((await edge.get(PATH, { sub: `bad${i}` })).status).toBe(503);
      expect(await (await edge.get(PATH, { sub: `u${i}` })).json()).toMatchObject({ source: 'personal' });
    }
    expect(edge.counters.get('edge_ejections_total')).toBe(0);
    const { regions } = await readStatus(edge);
    expect(regions.map(({ failures }) => failures)).toEqual([0, 0, 0]);
  });
});

describe.each([{ REGION_TIER: 'off' }, { REGION_TIER: 'on' }])('with %j', (env) => {
  test.each([400, 403, 422])('39 lists in one call with a key that gets %i are all personal', async (status) => {
    const edge = setUp(env);
    edge.origins.refuse('bad', status);
    const users = [
      ...Array.from({ length: 20 }, (_, i) => `u${i}`),
      'bad',
      ...Array.from({ length: 19 }, (_, i) => `u${20 + i}`),
    ];
    const results = await readBatch(edge, readsOf(users));
    expect(results.map(({ status: each }, i) => [users[i], each])).toEqual(
      users.map((user) => [user, user === 'bad' ? 503 : 200]),
    );
    expect(results.filter(({ source }) => source === 'personal')).toHaveLength(39);
    expect(edge.counters.get('edge_ejections_total')).toBe(0);
  });
});

describe('a region whose every call is refused', () => {
  test.each([401, 404])('with %i is tried last for a while after a few, and no read fails', async (status) => {
    const edge = setUp();
    edge.origins.behave(status, { region: 'asia', path: LISTS });
    for (let i = 0; i < 50; i++) {
      expect(await (await edge.get(PATH, { sub: `u${i}` })).json()).toMatchObject({ source: 'personal' });
    }
    expect(edge.origins.listReads().filter((region) => region === 'asia')).toHaveLength(REFUSALS);
    expect((await readStatus(edge)).regions.find(({ name }) => name === 'asia')?.state).toBe('refusing');
    expect(edge.counters.get('edge_ejections_total')).toBe(0);
    edge.clock.advance(REFUSING_MS);
    expect((await readStatus(edge)).regions.find(({ name }) => name === 'asia')?.state).toBe('healthy');
  });
});

test('429 is an overload: the region backs off and is not ejected', async () => {
  const edge = setUp();
  edge.origins.behave(429, { region: 'asia', path: LISTS });
  for (let i = 0; i < 12; i++) expect((await edge.get(PATH, { sub: `u${i}` })).status).toBe(200);
  expect(edge.counters.get('edge_ejections_total')).toBe(0);
  expect((await readStatus(edge)).regions.find(({ name }) => name === 'asia')?.state).toBe('healthy');
});

test('408 is a lost call, like one that timed out', async () => {
  const edge = setUp();
  edge.origins.behave(408, { region: 'asia', path: LISTS });
  for (let i = 0; i < 6; i++) expect((await edge.get(PATH, { sub: `u${i}` })).status).toBe(200);
  expect((await readStatus(edge)).regions.find(({ name }) => name === 'asia')?.state).toBe('ejected');
});

describe('a refused call', () => {
  const failure = { reason: 'status', status: 400 } as const;

  /** The outcome for each of `count` keys, if any call with a key in `bad` is refused. */
  async function split(count: number, bad: ReadonlySet<number>, mayContinue = () => true) {
    let calls = 0;
    const answers = await readSplitting<number, number>({
      queries: Array.from({ length: count }, (_, i) => i),
      read: async (keys) => {
        calls++;
        return keys.some((key) => bad.has(key))
          ? { kind: 'failed', failure }
          : { kind: 'answered', value: keys.map((key) => key * 10) };
      },
      isAboutKeys: () => true,
      mayContinue,
    });
    return { calls, answers };
  }

  test.each([0, 1, 63, 100, 199])(
    'of 200 keys is split until bad key %i is alone, in 2 log2(n) more calls',
    async (bad) => {
      const { calls, answers } = await split(200, new Set([bad]));
      expect(answers).toHaveLength(200);
      for (const [i, answer] of answers.entries())
        expect(answer).toEqual(i === bad ? { kind: 'failed', failure } : { kind: 'answered', value: i * 10 });
      expect(calls).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(200)));
    },
  );

  test('is one call without a bad key, and a bounded number of calls with many', async () => {
    expect((await split(200, new Set())).calls).toBe(1);
    const all = await split(200, new Set(Array.from({ length: 200 }, (_, i) => i)));
    expect(all.calls).toBeLessThanOrEqual(MAX_CALLS);
    expect(all.answers.every(({ kind }) => kind === 'failed')).toBe(true);
  });

  test('is not split without time', async () => {
    expect((await split(200, new Set([3]), () => false)).calls).toBe(1);
  });
});
