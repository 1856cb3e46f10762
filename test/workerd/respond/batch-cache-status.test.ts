// Cache-Status of a batch: each statement about a cache or region holds for every read that reached it.
import { describe, expect, test } from 'vitest';
import type { CacheTrail, RegionLookup } from '../../../edge/reads/trail.ts';
import { serializeBatchCacheStatus } from '../../../edge/respond/batch-cache-status.ts';
import type { TierLookup } from '../../../edge/tiers/tier.ts';
import { keyOf } from '../support/lists.ts';
import { parseCacheStatus } from '../support/structured-fields.ts';

type Outcome = TierLookup['outcome'];

const REGIONS = ['asia', 'europe', 'us'];
const [isolate, colo] = ['isolate', 'colo'].map((tier) => (outcome: Outcome, isCollapsed = false) => ({
  tier,
  outcome,
  isCollapsed,
})) as [(outcome: Outcome, isCollapsed?: boolean) => TierLookup, (outcome: Outcome) => TierLookup];
const region = (name: string, status = 200): RegionLookup => ({ region: name, origin: { status } });
const object = (name: string, outcome: Outcome): RegionLookup => ({ region: name, object: { outcome } });
const trail = (tiers: readonly TierLookup[], regions: readonly RegionLookup[] = [], stored = true): CacheTrail => ({
  key: keyOf('ann'),
  tiers,
  regions,
  stored,
});

/** Each read requests one list. */
const serialize = (...trails: CacheTrail[]) =>
  serializeBatchCacheStatus(
    trails.map((each) => [each]),
    REGIONS,
  );

describe('a cache', () => {
  test.each<[string, TierLookup[], string]>([
    ['gave all', [isolate('hit'), isolate('hit')], 'isolate; hit; detail="2/2"'],
    ['gave some', [isolate('hit'), isolate('miss')], 'isolate; fwd=partial; stored; detail="1/2"'],
    ['gave none', [isolate('miss'), isolate('miss')], 'isolate; fwd=miss; stored; detail="0/2"'],
    ['held all stale', [isolate('stale'), isolate('stale')], 'isolate; fwd=stale; stored; detail="0/2"'],
    ['held some stale', [isolate('stale'), isolate('miss')], 'isolate; fwd=miss; stored; detail="0/2"'],
    ['gave all stale', [isolate('stale-if-error'), isolate('hit')], 'isolate; hit; detail="2/2"'],
    ['failed', [isolate('error'), isolate('error')], 'isolate; fwd=miss; stored; detail="0/2"'],
    [
      'made all wait',
      [isolate('miss', true), isolate('miss', true)],
      'isolate; fwd=miss; stored; collapsed; detail="0/2"',
    ],
    ['made some wait', [isolate('miss', true), isolate('miss')], 'isolate; fwd=miss; stored; detail="0/2"'],
  ])('that %s says so', (_, asked, expected) => {
    expect(serialize(...asked.map((each) => trail([each])))).toBe(expected);
  });

  test('says that answers were stored only when all that passed it were', () => {
    const passed = [trail([isolate('miss')]), trail([isolate('miss')], [], false)];
    expect(serialize(...passed)).toBe('isolate; fwd=miss; detail="0/2"');
    expect(serialize(trail([isolate('hit')], [], false), trail([isolate('miss')]))).toContain('stored');
  });

  test('is counted once for a read that also requested the fallback, and as a hit if it had both', () => {
    const absent = trail([isolate('hit')]);
    const reads = [
      [absent, trail([isolate('hit')])],
      [absent, trail([isolate('miss')])],
      [trail([isolate('miss')]), trail([isolate('hit')])],
    ];
    expect(serializeBatchCacheStatus(reads, REGIONS)).toBe('isolate; fwd=partial; stored; detail="1/3"');
  });
});

describe('a region', () => {
  const cold = [isolate('miss'), colo('miss')];

  test('is never a hit, and shows its status when it gave all reads the same', () => {
    expect(serialize(trail(cold, [region('us')]), trail(cold, [region('us')]))).toMatch(
      /^origin-us; fwd=miss; fwd-status=200; detail="2\/2", colo;/,
    );
    expect(serialize(trail(cold, [region('us')]), trail(cold, [region('us', 404)]))).toMatch(
      /^origin-us; fwd=miss; detail="2\/2", colo;/,
    );
  });

  test.each<RegionLookup>([
    { region: 'us', origin: { status: 503 } },
    { region: 'us', origin: { status: 200, detail: 'undecodable' } },
    { region: 'us', origin: { detail: 'timeout' } },
  ])('that failed with %j gave nothing', (failed) => {
    expect(serialize(trail(cold, [failed]))).toMatch(/^origin-us; .*detail="0\/1", colo;/);
  });
});

test('the object of a region is a cache like others, closer to the listener than its origin', () => {
  const value = serialize(
    trail([isolate('miss'), colo('miss')], [object('asia', 'hit')]),
    trail([isolate('miss'), colo('miss')], [{ ...object('asia', 'miss'), origin: { status: 200 } }]),
    trail([isolate('miss'), colo('miss')], [{ ...object('us', 'bypass'), origin: { status: 200 } }]),
  );
  expect(value).toBe(
    'origin-asia; fwd=miss; fwd-status=200; detail="1/1", region-asia; fwd=partial; stored; detail="1/2", ' +
      'origin-us; fwd=miss; fwd-status=200; detail="1/1", region-us; fwd=bypass; detail="0/1", ' +
      'colo; fwd=miss; stored; detail="0/3", isolate; fwd=miss; stored; detail="0/3"',
  );
});

test('members stand in the order from the origin to the listener, in any order of reads', () => {
  const value = serialize(
    trail([isolate('hit')]),
    trail([isolate('miss'), colo('miss')], [region('us')]),
    trail([isolate('miss'), colo('miss')], [region('asia', 503), region('us')]),
    trail([isolate('miss'), colo('hit')]),
  );
  expect(parseCacheStatus(value).map(({ name, params }) => [name, params.detail])).toEqual([
    ['origin-asia', '0/1'],
    ['origin-us', '2/2'],
    ['colo', '1/3'],
    ['isolate', '1/4'],
  ]);
});

test('without a read there is none', () => {
  expect(serialize()).toBe('');
});
