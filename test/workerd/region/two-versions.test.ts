// A gradual deployment that changes variables: isolates of two versions of the worker share the region objects, which
// have the variables of the version before. No read fails, and few lists are cold.
import { beforeEach, expect, test } from 'vitest';
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { createHarness, type Harness, type Isolate, TEST_REGIONS } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { signToken } from '../support/tokens.ts';

const USERS = Array.from({ length: 160 }, (_, i) => `user-${i}`);
const NEAR_ASIA = { latitude: '35.7', longitude: '139.7' };
const LISTS = '/internal/v1/lists:read';

let edge: Harness;
let authorization: string;

async function setUp(env: object = {}): Promise<void> {
  edge = createHarness({ env: { REGION_TIER: 'on', REGION_SHARDS: '8', ...env } });
  for (const user of USERS) edge.origins.put(keyOf(user), makeList('a'));
  const claims = { sub: 'service', scope: 'recs:read:any recs:status', expiresInSeconds: 86_400 };
  authorization = `Bearer ${await signToken({ nowMs: edge.clock.now(), ...claims })}`;
}
beforeEach(() => setUp());

/** The body of each user's list. Every read has to succeed. */
async function readAll(isolate: Isolate): Promise<string[]> {
  const bodies: string[] = [];
  for (const user of USERS) {
    const path = `/v1/users/${user}/recommendations/home?fallback=none`;
    const response = await isolate.get(path, { authorization, cf: NEAR_ASIA });
    expect(response.status, user).toBe(200);
    bodies.push(await response.text());
  }
  return bodies;
}

/** Loads of each user's list by origins. */
function loadsByUser(): Map<string, number> {
  const keys = edge.origins.calls.filter(({ path }) => path === LISTS).flatMap((call) => call.keys);
  return new Map(USERS.map((user) => [user, keys.filter((key) => key.user === user).length]));
}

const countOf = (loads: ReadonlyMap<string, number>, times: number): number =>
  [...loads.values()].filter((each) => each === times).length;

test.each([
  ['8 to 9', { REGION_SHARDS: '9' }, 1 / 9],
  ['8 to 16', { REGION_SHARDS: '16' }, 1 / 2],
  ['8 to 7', { REGION_SHARDS: '7' }, 1 / 8],
])(
  'a change from %s shards fails no read, and only the users that move are loaded once more',
  async (_what, next, share) => {
    const before = await readAll(edge.addIsolate());
    expect(countOf(loadsByUser(), 1)).toBe(USERS.length);
    // Both versions answer, in turn and again.
    for (const env of [next, {}, next, {}]) expect(await readAll(edge.addIsolate(env))).toEqual(before);
    const loads = loadsByUser();
    const moved = countOf(loads, 2);
    expect(countOf(loads, 1) + moved).toBe(USERS.length);
    // Binomial: within four standard deviations of its share.
    const deviation = Math.sqrt(USERS.length * share * (1 - share));
    expect(Math.abs(moved - USERS.length * share)).toBeLessThan(4 * deviation);
    expect(edge.counters.get('edge_region_bypasses_total')).toBe(0);
  },
);

test('a region that objects do not know yet is read past them, and no read fails', async () => {
  await setUp({ REGIONS: JSON.stringify(TEST_REGIONS.slice(1)) });
  const before = await readAll(edge.addIsolate());
  const next = edge.addIsolate({ REGIONS: JSON.stringify(TEST_REGIONS) });
  expect(await readAll(next)).toEqual(before);
  const regions = edge.origins.calls.filter(({ path }) => path === LISTS).map(({ region }) => region);
  expect(regions).toContain('asia');
  expect(edge.counters.get('edge_region_bypasses_total')).toBe(USERS.length);
});

test('a region that is removed is read no more, and no read fails', async () => {
  const before = await readAll(edge.addIsolate());
  const calls = edge.origins.calls.length;
  const next = edge.addIsolate({ REGIONS: JSON.stringify(TEST_REGIONS.slice(1)) });
  expect(await readAll(next)).toEqual(before);
  expect(edge.origins.calls.slice(calls).filter(({ region }) => region === 'asia')).toEqual([]);
});

const withEpoch = (objectEpoch: number) => ({
  REGIONS: JSON.stringify(TEST_REGIONS.map((region, i) => (i === 0 ? { ...region, objectEpoch } : region))),
});

test('another epoch makes new objects of its region, and each list is loaded once more', async () => {
  const before = await readAll(edge.addIsolate());
  expect(await readAll(edge.addIsolate(withEpoch(2)))).toEqual(before);
  expect(countOf(loadsByUser(), 2)).toBe(USERS.length);
  // The objects of both epochs stay warm while both versions answer.
  expect(await readAll(edge.addIsolate(withEpoch(2)))).toEqual(before);
  expect(await readAll(edge.addIsolate())).toEqual(before);
  expect(countOf(loadsByUser(), 2)).toBe(USERS.length);
});

test('the status names the objects that have answered from memory, by epoch', async () => {
  await readAll(edge.addIsolate(withEpoch(3)));
  const isolate = edge.addIsolate(withEpoch(3));
  const statusOf = async () =>
    edgeStatusSchema.parse(await (await isolate.get(STATUS_PATH, { authorization, cf: NEAR_ASIA })).json()).objects;
  expect(await statusOf()).toEqual([]);
  await readAll(isolate);
  const objects = await statusOf();
  expect(objects?.map(({ object }) => object)).toEqual(Array.from({ length: 8 }, (_, i) => `asia@3/${i}`));
  // In the local cloud all objects are at one place.
  expect(objects?.every((each) => each.region === 'asia' && !('km' in each))).toBe(true);
});
