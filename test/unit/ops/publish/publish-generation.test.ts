import { describe, expect, test } from 'vitest';
import { canRamp, publishGeneration, whyNotPublish } from '../../../../ops/publish/publish-generation.ts';
import { EMPTY_MANIFEST, type Manifest, manifestSchema } from '../../../../shared/domain/manifest.ts';

const NOW = 1_795_500_000_000;
const [FIRST, SECOND] = [1_795_316_400_000, 1_795_402_800_000];
const publish = (
  manifest: Manifest,
  variant: string,
  generation: number,
  more: { weight?: number; rampMs?: number } = {},
) => {
  const next = publishGeneration(manifest, { surface: 'home', variant, generation, ...more }, NOW);
  manifestSchema.parse(next);
  return next;
};
const variantsOf = (manifest: Manifest) => manifest.surfaces.home?.variants;

describe('publishGeneration', () => {
  const first = publish(EMPTY_MANIFEST, 'control', FIRST);

  test("gives a surface's first variant all listeners", () => {
    expect(first.version).toBe(1);
    expect(variantsOf(first)).toEqual([{ name: 'control', weight: 10_000, current: FIRST }]);
  });

  test('gives a later variant no listeners until it gets a weight', () => {
    expect(variantsOf(publish(first, 'knn', FIRST))?.[1]).toEqual({ name: 'knn', weight: 0, current: FIRST });
    expect(variantsOf(publish(first, 'knn', FIRST, { weight: 1000 }))?.[1]?.weight).toBe(1000);
  });

  test('keeps the generation before, the weight and the other variants', () => {
    const two = publish(publish(first, 'knn', FIRST, { weight: 1000 }), 'control', SECOND);
    expect(variantsOf(two)).toEqual([
      { name: 'control', weight: 10_000, current: SECOND, previous: FIRST },
      { name: 'knn', weight: 1000, current: FIRST },
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
    expect(third).toEqual({ name: 'control', weight: 10_000, current: SECOND + 1, previous: SECOND });
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
  const publication = { surface: 'home', variant: 'control', generation: SECOND + 1 };

  test('refuses another generation during a flip, and names its end', () => {
    expect(whyNotPublish(ramping, publication, NOW + 599_999)).toBe(
      'the flip to 2026-11-23T03:00:00.000Z runs until 2026-11-24T06:10:00.000Z, and another flip would move all listeners at once',
    );
  });

  test.each([
    ['after the flip', ramping, publication, NOW + 600_000],
    ['where there was none', first, publication, NOW],
    ['of the same generation with another weight', ramping, { ...publication, generation: SECOND }, NOW],
    ['of another variant', ramping, { ...publication, variant: 'knn' }, NOW],
    ['of a surface that is new', ramping, { ...publication, surface: 'radio' }, NOW],
  ])('says nothing %s', (_when, manifest, what, nowMs) => {
    expect(whyNotPublish(manifest, what, nowMs)).toBeUndefined();
  });

  test('a ramp means something only where another generation is live', () => {
    expect(canRamp(first, publication)).toBe(true);
    expect(canRamp(first, { ...publication, generation: FIRST })).toBe(false);
    expect(canRamp(first, { ...publication, variant: 'knn' })).toBe(false);
  });
});
