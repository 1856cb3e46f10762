import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { steerRamp } from '../../../../ops/ramp/steer-ramp.ts';
import {
  endTrial,
  findVariant,
  goBack,
  goLive,
  goLiveWithItems,
  leave,
  type Ramp,
  startCanary,
  startWarm,
  whyBusy,
} from '../../../../ops/release/manifest-changes.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { EMPTY_MANIFEST, type Manifest, manifestSchema, type Variant } from '../../../../shared/domain/manifest.ts';
import { ITEMS } from '../../../../shared/domain/release.ts';
import { chooseGeneration, cohortOf, isGenerationServed, warmGenerationOf } from '../../../../shared/domain/rollout.ts';

const NOW = 1_795_500_000_000;
const [FIRST, SECOND, THIRD] = [1_795_316_400_000, 1_795_402_800_000, 1_795_489_200_000];
const line = { surface: toName('home'), variant: toName('control') };
const release = (generation: number, variant = 'control') => ({ ...line, variant: toName(variant), generation });

const valid = (manifest: Manifest): Manifest => {
  manifestSchema.parse(manifest);
  return manifest;
};
const variantOf = (manifest: Manifest): Variant => findVariant(valid(manifest), line) as Variant;
const live = (generation: number, manifest = EMPTY_MANIFEST, ramp?: Ramp) =>
  goLive(manifest, release(generation), ramp);

const first = live(FIRST);
const second = live(SECOND, first);
const third = live(THIRD, second);

describe('a release goes live', () => {
  test("and a surface's first variant has all users, a later one none until it gets a weight", () => {
    expect(variantOf(first)).toEqual({ name: 'control', weight: 10_000, current: FIRST, lineage: [FIRST] });
    const knn = goLive(first, release(FIRST, 'knn'), undefined);
    expect(knn.surfaces.home?.variants[1]).toMatchObject({ name: 'knn', weight: 0, current: FIRST });
    expect(goLive(first, release(FIRST, 'knn'), undefined, 1000).surfaces.home?.variants[1]?.weight).toBe(1000);
  });

  test('and the lineage names every release that users can still have, newest first', () => {
    expect(variantOf(third)).toEqual({
      ...{ name: 'control', weight: 10_000, current: THIRD, previous: SECOND },
      lineage: [THIRD, SECOND, FIRST],
    });
  });

  test('and a variant without a lineage gets one from what it names', () => {
    const { lineage: _, ...before } = variantOf(second);
    const legacy = { ...second, surfaces: { home: { ...second.surfaces.home, variants: [before] } } } as Manifest;
    expect(variantOf(live(THIRD, legacy)).lineage).toEqual([THIRD, SECOND, FIRST]);
    expect(variantOf(goBack(legacy, line)).lineage).toEqual([FIRST]);
  });

  test('and the users of its canary stay on it from the first moment of the ramp', () => {
    const canary = startCanary(second, release(THIRD), { share: 0.01, untilMs: NOW + 60_000 });
    const ramp = { startsAtMs: NOW + 600_000, durationMs: 600_000 };
    const after = variantOf(goLive(canary, release(THIRD), ramp));
    expect(after.flip).toEqual({ ...ramp, fromShare: 0.01 });
    expect(after.canary).toBeUndefined();
  });

  test('again without a change', () => {
    expect(live(SECOND, second)).toBe(second);
  });
});

describe('going back', () => {
  test('is to the release before, and `previous` is the next below: never the one that was left', () => {
    const back = variantOf(goBack(third, line));
    expect(back).toMatchObject({ current: SECOND, previous: FIRST, lineage: [SECOND, FIRST] });
    expect(back.flip).toBeUndefined();
  });

  test('is to a named release, and all later ones are left', () => {
    expect(variantOf(goBack(third, line, FIRST))).toEqual({
      ...{ name: 'control', weight: 10_000, current: FIRST, lineage: [FIRST] },
    });
  });

  test('out of a canary or a warm-up leaves the live release alone', () => {
    const trial = startCanary(second, release(THIRD), { share: 0.01, untilMs: NOW + 60_000 });
    expect(goBack(trial, line)).toEqual(second);
    expect(
      goBack(startWarm(second, release(THIRD), { startsAtMs: NOW, durationMs: 1, untilMs: NOW + 2 }), line),
    ).toEqual(second);
  });

  test('out of a ramp is to the release that it came from', () => {
    const ramping = live(THIRD, second, { startsAtMs: NOW, durationMs: 60_000 });
    expect(variantOf(goBack(ramping, line))).toMatchObject({ current: SECOND, lineage: [SECOND, FIRST] });
  });

  test.each([
    ['from the only release', first, undefined, /expected an earlier release to go back to, got none/],
    ['to a release that was never published', third, FIRST + 1, /expected --to to be a published release before/],
    ['to a later one', second, THIRD, /expected --to to be a published release before/],
    ['of an unknown variant', EMPTY_MANIFEST, undefined, /expected a live variant, got home\/control \(none is\)/],
  ])('%s is refused', (_what, manifest, to, message) => {
    expect(() => goBack(manifest, line, to)).toThrow(message);
  });
});

describe('a blocked release', () => {
  test('is left if it is live', () => {
    expect(variantOf(leave(third, release(THIRD)))).toMatchObject({ current: SECOND, previous: FIRST });
  });

  test('leaves the lineage, so no user keeps a list of it', () => {
    const after = variantOf(leave(third, release(SECOND)));
    expect(after).toMatchObject({ current: THIRD, previous: FIRST, lineage: [THIRD, FIRST] });
  });

  test('ends a ramp away from it for all users at once', () => {
    const ramping = live(THIRD, second, { startsAtMs: NOW, durationMs: 60_000 });
    const after = variantOf(leave(ramping, release(SECOND)));
    expect(after.flip).toBeUndefined();
    expect(chooseGeneration(after, 'u', NOW)).toBe(THIRD);
  });

  test('ends its canary', () => {
    const canary = startCanary(second, release(THIRD), { share: 0.01, untilMs: NOW });
    expect(leave(canary, release(THIRD))).toEqual(second);
  });
});

test('the end of a trial of another release changes nothing', () => {
  const canary = startCanary(second, release(THIRD), { share: 0.01, untilMs: NOW });
  expect(endTrial(canary, line, FIRST)).toBe(canary);
  expect(endTrial(canary, line, THIRD)).toEqual(second);
});

test('a publication waits for a running canary or ramp, and is told how to end it', () => {
  const canary = startCanary(second, release(THIRD), { share: 0.01, untilMs: NOW + 1 });
  expect(whyBusy(canary, line, NOW)).toMatch(/the canary of home\/control@.* runs until .*earshot rollback/);
  expect(whyBusy(canary, line, NOW + 1)).toBeUndefined();
  const ramping = live(THIRD, second, { startsAtMs: NOW, durationMs: 10 });
  expect(whyBusy(ramping, line, NOW + 9)).toMatch(/the ramp to home\/control@.*earshot ramp finish/);
  expect(whyBusy(ramping, line, NOW + 10)).toBeUndefined();
});

describe('a ramp', () => {
  const regions = ['europe', 'us', 'asia'];
  const delays = { europe: 0, us: 600_000, asia: 1_200_000 };
  const ramp = { startsAtMs: NOW, durationMs: 600_000, regionDelaysMs: delays };
  const ramping = live(THIRD, second, ramp);
  const users = Array.from({ length: 300 }, (_, i) => `user:${i}`);
  const shareIn = (manifest: Manifest, region: string | undefined, atMs: number): number =>
    users.filter((user) => chooseGeneration(variantOf(manifest), user, atMs, () => region) === THIRD).length /
    users.length;

  test('goes region by region, and a caller without a region is with the last', () => {
    const half = NOW + 300_000;
    expect(shareIn(ramping, 'europe', half)).toBeCloseTo(0.5, 0);
    expect(shareIn(ramping, 'us', half)).toBe(0);
    expect(shareIn(ramping, undefined, NOW + 1_100_000)).toBe(0);
    expect(shareIn(ramping, 'us', NOW + 1_200_000)).toBe(1);
    expect(shareIn(ramping, 'unknown', NOW + 1_800_000)).toBe(1);
  });

  test('stands still while it is paused, and goes on from there', () => {
    const at = NOW + 300_000;
    const paused = steerRamp(ramping, line, { kind: 'pause' }, at);
    for (const region of regions) expect(shareIn(paused, region, at + 9e6)).toBe(shareIn(ramping, region, at));
    const resumed = steerRamp(paused, line, { kind: 'resume' }, at + 9e6);
    for (const region of regions) {
      expect(shareIn(resumed, region, at + 9e6)).toBe(shareIn(ramping, region, at));
      expect(shareIn(resumed, region, at + 9e6 + 60_000)).toBe(shareIn(ramping, region, at + 60_000));
    }
  });

  test('is refused when there is none', () => {
    expect(() => steerRamp(second, line, { kind: 'pause' }, NOW)).toThrow('expected a running ramp of home/control');
    expect(() => steerRamp(ramping, line, { kind: 'finish' }, NOW + 2e6)).toThrow('every user has');
  });

  const steering = fc.oneof(
    fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }),
    fc.record({ kind: fc.constant('set' as const), overMs: fc.integer({ min: 1, max: 7_200_000 }) }),
  );
  const place = fc.constantFrom(undefined, ...regions);

  test('never takes a user back, however it is steered', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 900_000 }), steering), { maxLength: 8 }),
        fc.tuple(fc.string(), place),
        fc.nat({ max: 25 }),
        fc.record({ europe: fc.nat(2e6), us: fc.nat(2e6), asia: fc.nat(2e6) }),
        (steps, [user, region], percent, regionDelaysMs) => {
          const canary = startCanary(second, release(THIRD), { share: Math.max(percent, 1) / 100, untilMs: NOW + 1 });
          let manifest = goLive(canary, release(THIRD), { ...ramp, regionDelaysMs });
          let nowMs = NOW;
          let hasMoved = chooseGeneration(variantOf(canary), user, NOW, () => region) === THIRD;
          const look = (): void => {
            const hasIt = chooseGeneration(variantOf(manifest), user, nowMs, () => region) === THIRD;
            expect(hasIt || !hasMoved).toBe(true);
            hasMoved = hasIt;
            expect(isGenerationServed(variantOf(manifest), hasIt ? THIRD : SECOND, nowMs, user)).toBe(true);
            expect(isGenerationServed(variantOf(manifest), hasIt ? THIRD : SECOND, nowMs)).toBe(true);
          };
          for (const [laterMs, each] of steps) {
            look();
            nowMs += laterMs;
            look();
            try {
              manifest = steerRamp(manifest, line, each, nowMs);
            } catch (error) {
              expect(String(error)).toContain('expected a running ramp');
            }
          }
          look();
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a release of the items is left', () => {
  const items = [FIRST, SECOND, THIRD].reduce((manifest, generation) => goLiveWithItems(manifest, generation), first);
  const itemsAfter = (generation: number) => valid(leave(items, { ...ITEMS, generation })).items;

  test('the live one: the release before is live, and the other leaves the lineage', () => {
    expect(itemsAfter(THIRD)).toEqual({ current: SECOND, previous: FIRST, lineage: [SECOND, FIRST] });
  });

  test('an earlier one: it is no way back any more', () => {
    expect(itemsAfter(SECOND)).toEqual({ current: THIRD, previous: FIRST, lineage: [THIRD, FIRST] });
    expect(itemsAfter(FIRST)).toEqual({ current: THIRD, previous: SECOND, lineage: [THIRD, SECOND] });
  });

  test('one that the manifest does not name: nothing changes', () => {
    expect(leave(items, { ...ITEMS, generation: FIRST - 1 })).toBe(items);
    expect(leave(first, { ...ITEMS, generation: FIRST })).toBe(first);
  });
});

test('a warm-up before a canary leaves the users of the canary cold', () => {
  const share = 0.1;
  const warm = { startsAtMs: NOW, durationMs: 1_000, untilMs: NOW + 10_000, fromShare: share };
  const warming = variantOf(startWarm(second, release(THIRD), warm));
  const trying = variantOf(startCanary(second, release(THIRD), { share, untilMs: NOW + 60_000 }));
  const users = Array.from({ length: 5_000 }, (_, i) => `u:${i}`);
  const warmed = (user: string) => warmGenerationOf(warming, user, NOW + 1_000) === THIRD;
  const canary = users.filter((user) => cohortOf(trying, user, NOW) === 'canary');
  expect(canary.length).toBeGreaterThan(300);
  expect(canary.filter(warmed)).toEqual([]);
  expect(users.filter(warmed)).toHaveLength(users.length - canary.length);
});
