// Lists of generations that the manifest does not name: refused from every tier, and from an origin whose manifest is
// behind. Canary, control cohort, regions and the release of the items are parts of a read's key.
import { beforeEach, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import type { Manifest, Variant } from '../../../shared/domain/manifest.ts';
import { cohortOf } from '../../../shared/domain/rollout.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const DAY = 86_400_000;
const [PREVIOUS, BETWEEN, NEXT] = [GENERATION - DAY, GENERATION - DAY / 2, GENERATION + DAY];
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
});

function manifestWith(version: number, change: Partial<Variant>, more: Partial<Manifest> = {}): Manifest {
  const { surfaces, ...rest } = makeManifest();
  const home = surfaces.home as (typeof surfaces)[string];
  const variants = [{ name: toName('control'), weight: 10_000, current: GENERATION, ...change }];
  return { ...rest, ...more, version, surfaces: { ...surfaces, home: { ...home, variants } } };
}

interface Answer {
  readonly source: string;
  readonly generation: string;
}

const read = async (sub: string, path = PATH, options: object = {}): Promise<Answer> =>
  (await edge.get(path, { sub, ...options })).json();
const momentOf = (generation: number): string => new Date(generation).toISOString();
const asked = () => edge.origins.calls.flatMap(({ keys }) => keys);

test('a list between two published ones is refused, read once more from no cache, and never served', async () => {
  edge.origins.publish(manifestWith(2, { lineage: [GENERATION, PREVIOUS], previous: PREVIOUS }));
  // The origin's manifest is behind: it still serves the load between the two.
  edge.origins.put(keyOf('ann'), makeList('between', 60, BETWEEN));
  edge.origins.put(keyOf('~popular'), makeList('popular', 60));
  for (let i = 0; i < 3; i++) {
    expect(await read('ann')).toMatchObject({ source: 'popular' });
    edge.clock.advance(1);
  }
  const own = asked().filter(({ user }) => user === 'ann');
  expect(own[0]).not.toHaveProperty('maxAgeMs');
  expect(own[1]).toMatchObject({ maxAgeMs: 0 });
  expect(edge.counters.get('edge_unpublished_lists_total')).toBeGreaterThanOrEqual(6);
  // The origin's manifest has caught up: it passes over the load.
  edge.origins.put(keyOf('ann'), makeList('before', 60, PREVIOUS));
  expect(await read('ann')).toMatchObject({ source: 'personal', generation: momentOf(PREVIOUS) });
});

test('a list that a cache has from a release which was left is read again', async () => {
  edge.origins.publish(manifestWith(2, { current: NEXT, lineage: [NEXT, GENERATION, PREVIOUS] }));
  // The newest release has no list for the user.
  edge.origins.put({ ...keyOf('ann'), generation: NEXT }, makeList('blocked', 60));
  expect(await read('ann')).toMatchObject({ generation: momentOf(GENERATION) });
  edge.origins.publish(manifestWith(3, { current: NEXT, lineage: [NEXT, PREVIOUS] }));
  edge.origins.put({ ...keyOf('ann'), generation: NEXT }, makeList('before', 60, PREVIOUS));
  edge.clock.advance(11_000);
  expect(await read('ann')).toMatchObject({ source: 'personal', generation: momentOf(PREVIOUS) });
});

test('a variant without a lineage serves every older list, as before', async () => {
  edge.origins.put(keyOf('ann'), makeList('old', 60, BETWEEN));
  expect(await read('ann')).toMatchObject({ source: 'personal', generation: momentOf(BETWEEN) });
});

test('the cohorts of a canary read under cold keys, and leave it by the clock alone', async () => {
  const canary = { generation: NEXT, share: 0.25, untilMs: edge.clock.now() + 60_000 };
  const variant = { current: GENERATION, canary };
  edge.origins.publish(manifestWith(2, { lineage: [GENERATION], canary }));
  const users = Array.from({ length: 40 }, (_, i) => `u${i}`);
  const inCanary = users.filter((user) => cohortOf(variant, user, edge.clock.now()) === 'canary');
  const inControl = users.filter((user) => cohortOf(variant, user, edge.clock.now()) === 'control');
  expect(Math.min(inCanary.length, inControl.length)).toBeGreaterThan(3);
  for (const user of users) {
    edge.origins.put(keyOf(user), makeList(user, 60));
    edge.origins.put({ ...keyOf(user), generation: NEXT }, makeList(user, 60, NEXT));
    edge.origins.put({ ...keyOf(user), coldFor: NEXT }, makeList(user, 60));
  }
  for (const user of users) {
    const expected = inCanary.includes(user) ? NEXT : GENERATION;
    expect(await read(user)).toMatchObject({ generation: momentOf(expected) });
  }
  const cold = asked().filter(({ coldFor }) => coldFor !== undefined);
  expect(new Set(cold.map(({ user }) => String(user)))).toEqual(new Set(inControl));
  expect(cold.every(({ coldFor, generation }) => coldFor === NEXT && generation === GENERATION)).toBe(true);
  // No origin answers any more: the switch needs no new manifest.
  edge.origins.behave(503);
  edge.clock.advance(60_000);
  for (const user of inCanary) expect(await read(user)).not.toMatchObject({ generation: momentOf(NEXT) });
});

test('users move with the region nearest to their coordinates, and without coordinates with the last', async () => {
  const startsAtMs = edge.clock.now() - 1_000;
  const flip = { startsAtMs, durationMs: 0, regionDelaysMs: { europe: 0, us: 60_000, asia: 120_000 } };
  edge.origins.publish(manifestWith(2, { current: NEXT, previous: GENERATION, lineage: [NEXT, GENERATION], flip }));
  edge.origins.put(keyOf('ann'), makeList('old', 60));
  edge.origins.put({ ...keyOf('ann'), generation: NEXT }, makeList('new', 60, NEXT));
  const at = async (cf?: { latitude: string; longitude: string }) => (await read('ann', PATH, { cf })).generation;
  const paris = { latitude: '48.8', longitude: '2.3' };
  const denver = { latitude: '39.7', longitude: '-105' };
  const seen = async () => [await at(paris), await at(denver), await at()].map((each) => each === momentOf(NEXT));
  expect(await seen()).toEqual([true, false, false]);
  edge.clock.advance(60_000);
  expect(await seen()).toEqual([true, true, false]);
  edge.clock.advance(60_000);
  expect(await seen()).toEqual([true, true, true]);
});

test('an expanded list has the release of the items in its key', async () => {
  edge.origins.publish(manifestWith(2, {}, { items: { current: PREVIOUS } }));
  const one = { ...keyOf('ann'), expand: 'items' as const };
  edge.origins.put({ ...one, items: PREVIOUS }, makeList('one', 60));
  edge.origins.put({ ...one, items: GENERATION }, makeList('two', 60));
  const first = async () =>
    ((await read('ann', `${PATH}?expand=items`)) as unknown as { items: { id: string }[] }).items[0]?.id;
  expect(await first()).toBe('one:1');
  edge.origins.publish(manifestWith(3, {}, { items: { current: GENERATION, previous: PREVIOUS } }));
  edge.clock.advance(11_000);
  expect(await first()).toBe('two:1');
});

test('a warm-up loads the next list behind a hit, once, and the flip then hits', async () => {
  const nowMs = edge.clock.now();
  const lists = () => asked().filter(({ user }) => user === 'ann').length;
  edge.origins.put(keyOf('ann'), makeList('old', 60));
  edge.origins.put({ ...keyOf('ann'), generation: NEXT }, makeList('new', 60, NEXT));
  await read('ann');
  const warm = { generation: NEXT, startsAtMs: nowMs - 20, durationMs: 10, untilMs: nowMs + 600_000 };
  edge.origins.publish(manifestWith(2, { warm }));
  edge.clock.advance(11_000);
  for (let i = 0; i < 3; i++) expect(await read('ann')).toMatchObject({ generation: momentOf(GENERATION) });
  expect(asked().filter(({ generation }) => generation === NEXT)).toHaveLength(1);
  expect(asked().find(({ generation }) => generation === NEXT)).toMatchObject({ isBackground: true });
  const before = lists();
  edge.origins.publish(manifestWith(3, { current: NEXT, previous: GENERATION }));
  edge.clock.advance(11_000);
  expect(await read('ann')).toMatchObject({ generation: momentOf(NEXT) });
  expect(lists()).toBe(before);
});

test('a region that is marked as degraded is tried last, until the mark ends', async () => {
  const regions = { asia: { degradedUntilMs: edge.clock.now() + 60_000, why: 'a test' } };
  edge.origins.publish(manifestWith(2, {}, { regions }));
  for (const user of ['a', 'b']) edge.origins.put(keyOf(user), makeList(user, 60));
  const tokyo = { latitude: '35.6', longitude: '139.7' };
  await read('a', PATH, { cf: tokyo });
  expect(edge.origins.listReads().at(-1)).not.toBe('asia');
  edge.clock.advance(60_000);
  await read('b', PATH, { cf: tokyo });
  expect(edge.origins.listReads().at(-1)).toBe('asia');
});
