import { describe, expect, test } from 'vitest';
import { newestKept } from '../../../../ops/bigtable/kept-generations.ts';
import { whyNotLoad } from '../../../../ops/publish/allowed-generations.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import type { Variant } from '../../../../shared/domain/manifest.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 25);
/** Generations by their day of November. */
const [G20, G21, G22, G23, G24] = [20, 21, 22, 23, 24].map((day) => Date.UTC(2026, 10, day)) as [
  number,
  number,
  number,
  number,
  number,
];
const live = (current: number, more: Partial<Variant> = {}): Variant => ({
  name: toName('control'),
  weight: 10_000,
  current,
  ...more,
});
const check = (generation: number, loads: number[], variant?: Variant) =>
  whyNotLoad({ generation, loads, live: variant, nowMs: NOW });

describe('whyNotLoad', () => {
  test('accepts the next generation of every day', () => {
    const loads: number[] = [];
    for (const generation of [G20, G21, G22, G23]) {
      expect(check(generation, loads, loads.length === 0 ? undefined : live(loads.at(-1) ?? 0))).toBeUndefined();
      loads.push(generation);
    }
  });

  test('accepts a repeated load after an unfinished one', () => {
    expect(check(G22, [G20, G21, G22], live(G21))).toBeUndefined();
  });

  test('protects lists that are live from being pushed out by loads that are not', () => {
    expect(check(G23, [G20, G21, G22], live(G20))).toMatch(
      /^generation 2026-11-23T.* would push out 2026-11-20T.*, which is live: Bigtable keeps the newest 3; load one of 2026-11-21T.*, 2026-11-22T.* again/,
    );
  });

  test('protects the generation before only while a flip goes on', () => {
    const previous = { previous: G20 };
    const flip = { startsAtMs: NOW - 1000, durationMs: 2000 };
    expect(check(G24, [G20, G22, G23], live(G22, previous))).toBeUndefined();
    expect(check(G24, [G20, G22, G23], live(G22, { ...previous, flip }))).toMatch(/would push out 2026-11-20T/);
  });

  test.each([
    ['current', live(G22)],
    ['previous', live(G23, { previous: G22 })],
  ])('protects the lists of the %s generation from being changed', (_which, variant) => {
    expect(check(G22, [G22], variant)).toMatch(/is live or was before, and lists under a generation never change/);
  });

  test('refuses a generation that would be collected immediately', () => {
    expect(check(G20, [G21, G22, G23], live(G23))).toMatch(/is older than the newest 3 \(2026-11-23T/);
  });

  test('refuses a future generation, with a day of tolerance for clock skew', () => {
    expect(check(NOW + DAY, [])).toBeUndefined();
    expect(check(NOW + DAY + 1, [])).toMatch(/is in the future/);
  });
});

test('the newest three are kept, each once, newest first', () => {
  expect(newestKept([G21, G20, G23, G23, G22])).toEqual([G23, G22, G21]);
});
