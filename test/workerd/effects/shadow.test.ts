// The switch `shadow`: answers of caches are compared with Bigtable behind the answer, by tier and kind.
import { beforeEach, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import type { StoredList } from '../../../shared/domain/list.ts';
import { murmur3 } from '../../../shared/runtime/hash.ts';
import { createHarness, type Harness, type Isolate, ONE_REGION } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const OLDER = GENERATION - 86_400_000;
const TRUE_LIST = makeList('true', 20);
const cutShort = ({ bytes, ...list }: StoredList): StoredList => ({ ...list, bytes: bytes.slice(0, bytes.length / 2) });

const HASH_KEY = 'a-hash-key-for-tests-only-0123456789';
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: { ...ONE_REGION, REGION_TIER: 'on', HASH_KEY } });
});

function publish(share: string): void {
  const switches = { shadow: { value: share, untilMs: edge.clock.now() + 3_600_000 } };
  const { surfaces } = makeManifest();
  const home = {
    ...{ salt: 'home-1', listTtlSeconds: 21_600 },
    variants: [{ name: toName('control'), weight: 10_000, current: GENERATION, lineage: [GENERATION, OLDER] }],
  };
  edge.origins.publish(makeManifest({ version: 2, surfaces: { ...surfaces, home }, switches }));
}

async function statusOf(isolate: Isolate = edge) {
  const response = await isolate.get('/internal/v1/status', { scope: 'recs:status' });
  const { shadow } = (await response.json()) as { shadow: { reads: number; differences: object[] } };
  return shadow;
}

/** How the tier comes to be the one that answers: an isolate that has nothing nearer. */
const TIERS = {
  isolate: () => edge,
  colo: () => {
    edge.loseIsolate();
    return edge;
  },
  /** In another data centre, with the same objects. */
  region: () => edge.addIsolate(),
  /** In another data centre, without objects. */
  origin: () => edge.addIsolate(),
} as const;

const KINDS = {
  stale: makeList('old', 20, OLDER),
  other: makeList('of-another-user', 20),
  truncated: cutShort(TRUE_LIST),
} as const;

test.each(
  (Object.keys(TIERS) as (keyof typeof TIERS)[]).flatMap((tier) =>
    (Object.keys(KINDS) as (keyof typeof KINDS)[]).map((kind) => ({ tier, kind })),
  ),
)('a $kind list in $tier is counted as such', async ({ tier, kind }) => {
  if (tier === 'origin') {
    edge = createHarness({ env: { ...ONE_REGION, HASH_KEY } });
    edge.origins.remember('heeds-max-age');
  }
  publish('1');
  edge.origins.put(keyOf('ann'), KINDS[kind]);
  await edge.get(PATH, { sub: 'ann' });
  edge.origins.put(keyOf('ann'), TRUE_LIST);
  edge.clock.advance(1_000);
  const isolate = TIERS[tier]();
  await isolate.get(PATH, { sub: 'ann' });
  expect(await statusOf(isolate)).toEqual({ reads: 1, differences: [{ tier, kind, count: 1 }] });
  const log = edge.logs.find(({ event }) => event === 'shadow_difference');
  expect(log?.fields).toMatchObject({ tier, kind, user: expect.stringMatching(/^[\w-]{16}$/) });
});

test('equal lists make no difference, and nothing is stored of a comparison', async () => {
  publish('1');
  edge.origins.put(keyOf('ann'), TRUE_LIST);
  await edge.get(PATH, { sub: 'ann' });
  await edge.get(PATH, { sub: 'ann' });
  await edge.get(PATH, { sub: 'ann' });
  expect(await statusOf()).toEqual({ reads: 2, differences: [] });
  const shadows = edge.origins.calls.flatMap(({ keys }) => keys).filter(({ isShadow }) => isShadow);
  expect(shadows).toHaveLength(2);
  expect(shadows.every(({ isBackground }) => isBackground)).toBe(true);
});

test('a share of 0.01 makes 0.8 to 1.2 reads of Bigtable in a hundred answers of caches', async () => {
  const answers = 50_000;
  let draws = 0;
  edge = createHarness({ env: ONE_REGION, random: () => murmur3(String(draws++)) / 2 ** 32 });
  publish('0.01');
  edge.origins.put(keyOf('ann'), TRUE_LIST);
  await edge.get(PATH, { sub: 'ann' });
  const before = edge.origins.calls.length;
  for (let i = 0; i < answers; i++) await edge.get(PATH, { sub: 'ann' });
  const { reads } = await statusOf();
  expect(edge.origins.calls.slice(before).filter(({ keys }) => keys.some(({ isShadow }) => isShadow))).toHaveLength(
    reads,
  );
  expect(reads / answers).toBeGreaterThan(0.008);
  expect(reads / answers).toBeLessThan(0.012);
});
