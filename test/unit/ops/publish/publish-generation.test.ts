import { describe, expect, test } from 'vitest';
import { publishGeneration, whyImpossible, whyNotPublish } from '../../../../ops/publish/publish-generation.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { EMPTY_MANIFEST, type Manifest, manifestSchema } from '../../../../shared/domain/manifest.ts';
import { chooseGeneration, rampFraction } from '../../../../shared/domain/rollout.ts';

const NOW = 1_795_500_000_000;
const [FIRST, SECOND] = [1_795_316_400_000, 1_795_402_800_000];
const publish = (
  manifest: Manifest,
  variant: string,
  generation: number,
  more: { weight?: number; rampMs?: number } = {},
) => {
  const next = publishGeneration(
    manifest,
    { surface: toName('home'), variant: toName(variant), generation, ...more },
    NOW,
  );
  manifestSchema.parse(next);
  return next;
};
const variantsOf = (manifest: Manifest) => manifest.surfaces.home?.variants;

describe('publishGeneration', () => {
  const first = publish(EMPTY_MANIFEST, 'control', FIRST);

  test("gives a surface's first variant all listeners", () => {
    expect(first.version).toBe(1);
    expect(variantsOf(first)).toEqual([{ name: toName('control'), weight: 10_000, current: FIRST }]);
  });

  test('gives a later variant no listeners until it gets a weight', () => {
    expect(variantsOf(publish(first, 'knn', FIRST))?.[1]).toEqual({ name: toName('knn'), weight: 0, current: FIRST });
    expect(variantsOf(publish(first, 'knn', FIRST, { weight: 1000 }))?.[1]?.weight).toBe(1000);
  });

  test('keeps the generation before, the weight and the other variants', () => {
    const two = publish(publish(first, 'knn', FIRST, { weight: 1000 }), 'control', SECOND);
    expect(variantsOf(two)).toEqual([
      { name: toName('control'), weight: 10_000, current: SECOND, previous: FIRST },
      { name: toName('knn'), weight: 1000, current: FIRST },
    ]);
    expect(two.version).toBe(3);
  });

  test('ramps from the previous generation if it gets a duration', () => {
    expect(variantsOf(publish(first, 'control', SECOND, { rampMs: 600_000 }))?.[0]).toMatchObject({
      previous: FIRST,
      flip: { startsAtMs: NOW, durationMs: 600_000 },
    });
  });

  test('ends a ramp that another publication overtakes', () => {
    const ramping = publish(first, 'control', SECOND, { rampMs: 600_000 });
    const third = variantsOf(publish(ramping, 'control', SECOND + 1))?.[0];
    expect(third).toEqual({ name: toName('control'), weight: 10_000, current: SECOND + 1, previous: SECOND });
  });

  test('changes only the weight when the generation is live already', () => {
    const ramping = publish(first, 'control', SECOND, { rampMs: 600_000 });
    expect(variantsOf(publish(ramping, 'control', SECOND, { weight: 5000 }))?.[0]).toEqual({
      ...variantsOf(ramping)?.[0],
      weight: 5000,
    });
  });

  test('is the same object when there is nothing to change', () => {
    expect(publish(first, 'control', FIRST)).toBe(first);
  });

  test('does not modify its input', () => {
    const before = structuredClone(first);
    publish(first, 'control', SECOND, { rampMs: 1 });
    expect(first).toEqual(before);
  });
});

describe('whyNotPublish', () => {
  const first = publish(EMPTY_MANIFEST, 'control', FIRST);
  const ramping = publish(first, 'control', SECOND, { rampMs: 600_000 });
  const publication = { surface: toName('home'), variant: toName('control'), generation: SECOND + 1 };

  test('refuses another generation during a flip, and names its end', () => {
    expect(whyNotPublish(ramping, publication, NOW + 599_999)).toBe(
      'the flip to 2026-11-23T03:00:00.000Z runs until 2026-11-24T06:10:00.000Z, and another flip would move all listeners at once',
    );
  });

  test.each([
    ['after the flip', ramping, publication, NOW + 600_000],
    ['where there was none', first, publication, NOW],
    ['of the same generation with another weight', ramping, { ...publication, generation: SECOND }, NOW],
    ['of another variant', ramping, { ...publication, variant: toName('knn') }, NOW],
    ['of a surface that is new', ramping, { ...publication, surface: toName('radio') }, NOW],
  ])('says nothing %s', (_when, manifest, what, nowMs) => {
    expect(whyNotPublish(manifest, what, nowMs)).toBeUndefined();
  });
});

describe('whyImpossible', () => {
  const first = publish(EMPTY_MANIFEST, 'control', FIRST);
  const ramping = publish(first, 'control', SECOND, { rampMs: 600_000 });
  const ramp = { surface: toName('home'), variant: toName('control'), generation: SECOND, rampMs: 60_000 };

  test.each([
    ['of a first generation', EMPTY_MANIFEST, ramp, NOW, /no generation of home\/control is live yet/],
    ['of a generation that is live without one', first, { ...ramp, generation: FIRST }, NOW, /every listener has/],
    ['that is over', ramping, ramp, NOW + 600_000, /every listener has 2026-11-23T03:00:00.000Z already/],
  ])('refuses a ramp %s, which would have no effect', (_what, manifest, publication, nowMs, reason) => {
    expect(whyImpossible(manifest, publication, nowMs)).toMatch(reason);
    const { rampMs: _ramp, ...plain } = publication;
    expect(whyImpossible(manifest, plain, nowMs)).toBeUndefined();
  });

  test('accepts a ramp to another generation, and a change of the running one', () => {
    expect(whyImpossible(first, ramp, NOW)).toBeUndefined();
    expect(whyImpossible(ramping, ramp, NOW + 1)).toBeUndefined();
  });

  test('refuses a 33rd variant, and says how to remove one', () => {
    const names = Array.from({ length: 32 }, (_, i) => `v${i}`);
    const full = names.reduce((manifest, name) => publish(manifest, name, FIRST), EMPTY_MANIFEST);
    const next = { surface: toName('home'), variant: toName('v32'), generation: FIRST };
    expect(whyImpossible(full, next, NOW)).toMatch(/home has 32 variants.*earshot variant remove/);
    expect(whyImpossible(full, { ...next, variant: toName('v31') }, NOW)).toBeUndefined();
    expect(whyImpossible(full, { ...next, surface: toName('radio') }, NOW)).toBeUndefined();
  });
});

describe('a running ramp', () => {
  const ramping = publish(publish(EMPTY_MANIFEST, 'control', FIRST), 'control', SECOND, { rampMs: 600_000 });
  const change = (rampMs: number, nowMs: number) =>
    variantsOf(
      publishGeneration(
        ramping,
        { surface: toName('home'), variant: toName('control'), generation: SECOND, rampMs },
        nowMs,
      ),
    )?.[0];
  const users = Array.from({ length: 2000 }, (_, i) => `u:${i}`);

  test.each([60_000, 600_000, 6_000_000])('gets a duration of %i ms, and no listener goes back', (rampMs) => {
    const nowMs = NOW + 240_000;
    const [before, after] = [variantsOf(ramping)?.[0], change(rampMs, nowMs)];
    if (before === undefined || after?.flip === undefined) throw new Error('expected a ramp');
    expect(rampFraction(after.flip, nowMs)).toBeCloseTo(0.4, 4);
    expect(after.flip.durationMs).toBe(rampMs);
    for (const user of users) {
      expect(chooseGeneration(after, user, nowMs)).toBe(chooseGeneration(before, user, nowMs));
    }
  });

  test('ends at once with a duration of 0', () => {
    expect(change(0, NOW + 1)).toEqual({ name: toName('control'), weight: 10_000, current: SECOND, previous: FIRST });
  });
});
