import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toName } from '../../../../shared/domain/ids.ts';
import type { Variant } from '../../../../shared/domain/manifest.ts';
import {
  chooseGeneration,
  chooseList,
  chooseVariant,
  isGenerationServed,
  rampFraction,
} from '../../../../shared/domain/rollout.ts';

const GENERATION = 1_795_402_800_000;
const users = Array.from({ length: 20_000 }, (_, i) => `lastfm:${i}`);
const makeVariants = (weights: Record<string, number>): Variant[] =>
  Object.entries(weights).map(([name, weight]) => ({ name: toName(name), weight, current: GENERATION }));
const assign = (salt: string, weights: Record<string, number>): string[] =>
  users.map((user) => chooseVariant({ salt, variants: makeVariants(weights) }, user).name);

describe('chooseVariant', () => {
  test.each([100, 1000, 5000, 9000])('gives a variant of weight %i of 10 000 that share of the users', (weight) => {
    const share =
      assign('s', { control: 10_000 - weight, knn: weight }).filter((name) => name === 'knn').length / users.length;
    const expected = weight / 10_000;
    const standardError = Math.sqrt((expected * (1 - expected)) / users.length);
    expect(Math.abs(share - expected)).toBeLessThan(4 * standardError);
  });

  test('moves users only into a variant whose weight grows', () => {
    const before = assign('s', { a: 5000, b: 3000, c: 1000 });
    const after = assign('s', { a: 5000, b: 3000, c: 2000 });
    const moved = users.map((_, i) => [before[i], after[i]]).filter(([from, to]) => from !== to);
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every(([, to]) => to === 'c')).toBe(true);
  });

  test('moves users only out of a variant whose weight shrinks to nothing', () => {
    const before = assign('s', { a: 5000, b: 3000, c: 1000 });
    const after = assign('s', { a: 5000, b: 3000, c: 0 });
    users.forEach((_, i) => {
      if (before[i] !== 'c') expect(after[i]).toBe(before[i]);
    });
    expect(after).not.toContain('c');
  });

  test('redistributes the users with another salt', () => {
    const first = assign('s1', { a: 5000, b: 5000 });
    const second = assign('s2', { a: 5000, b: 5000 });
    const same = users.filter((_, i) => first[i] === second[i]).length / users.length;
    expect(Math.abs(same - 0.5)).toBeLessThan(0.02);
  });

  test('does not depend on the order of the variants', () => {
    const variants = makeVariants({ a: 4000, b: 3000, c: 3000 });
    fc.assert(
      fc.property(fc.shuffledSubarray(variants, { minLength: 3 }), fc.constantFrom(...users), (shuffled, user) => {
        expect(chooseVariant({ salt: 's', variants: shuffled }, user)).toBe(
          chooseVariant({ salt: 's', variants }, user),
        );
      }),
    );
  });
});

describe('chooseGeneration', () => {
  const previous = GENERATION - 86_400_000;
  const flip = { startsAtMs: GENERATION, durationMs: 600_000 };
  const variant: Variant = { name: toName('control'), weight: 10_000, current: GENERATION, previous, flip };
  const shareOnCurrent = (nowMs: number): number =>
    users.filter((user) => chooseGeneration(variant, user, nowMs) === GENERATION).length / users.length;

  test('is the previous one for all users until the flip starts', () => {
    expect(shareOnCurrent(GENERATION - 1)).toBe(0);
  });

  test('is the new one for all users when the flip is over', () => {
    expect(shareOnCurrent(GENERATION + flip.durationMs)).toBe(1);
  });

  test.each([0.1, 0.5, 0.9])('is the new one for the elapsed fraction, at %f of the flip', (fraction) => {
    expect(Math.abs(shareOnCurrent(GENERATION + fraction * flip.durationMs) - fraction)).toBeLessThan(0.015);
  });

  test('never moves a user back during a flip', () => {
    for (const user of users.slice(0, 200)) {
      let isOnCurrent = false;
      for (let step = 0; step <= 100; step++) {
        const now = chooseGeneration(variant, user, GENERATION + (step / 100) * flip.durationMs) === GENERATION;
        expect(isOnCurrent && !now).toBe(false);
        isOnCurrent = now;
      }
    }
  });

  test('is the current one where no flip is set', () => {
    expect(chooseGeneration({ current: GENERATION, previous }, 'u', 0)).toBe(GENERATION);
  });

  test('comes with the variant from chooseList', () => {
    const surface = { salt: 's', listTtlSeconds: 60, variants: [variant] };
    expect(chooseList(surface, 'u', GENERATION + flip.durationMs)).toEqual({ variant, generation: GENERATION });
  });
});

test('a flip without duration is over the moment it starts', () => {
  expect(rampFraction({ startsAtMs: 5, durationMs: 0 }, 4)).toBe(0);
  expect(rampFraction({ startsAtMs: 5, durationMs: 0 }, 5)).toBe(1);
});

describe('isGenerationServed', () => {
  const variant: Variant = { name: toName('a'), weight: 1, current: GENERATION, previous: GENERATION - 1000 };
  const served = (each: Variant, nowMs: number) =>
    [each.current, each.previous ?? 0, 1].map((generation) => isGenerationServed(each, generation, nowMs));

  test('is true only for the current one without a flip', () => {
    expect(served(variant, 0)).toEqual([true, false, false]);
  });

  test('is true during a flip for every generation with users', () => {
    const flipped = { ...variant, flip: { startsAtMs: 100, durationMs: 100 } };
    expect(served(flipped, 100)).toEqual([false, true, false]);
    expect(served(flipped, 150)).toEqual([true, true, false]);
    expect(served(flipped, 200)).toEqual([true, false, false]);
    for (const nowMs of [99, 100, 101, 150, 199, 200]) {
      const chosen = new Set(users.slice(0, 2_000).map((user) => chooseGeneration(flipped, user, nowMs)));
      for (const generation of chosen) expect(isGenerationServed(flipped, generation, nowMs)).toBe(true);
    }
  });
});
