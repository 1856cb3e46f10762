import { describe, expect, test } from 'vitest';
import { newestKept } from '../../../../ops/bigtable/kept-generations.ts';
import { whyNotLoad } from '../../../../ops/publish/allowed-generations.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import type { Variant } from '../../../../shared/domain/manifest.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 25);
/** A generation by its day of November. */
const on = (day: number): number => Date.UTC(2026, 10, day);
const days = (...all: number[]): number[] => all.map(on);
const [G20, G21, G22, G23] = [on(20), on(21), on(22), on(23)];
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
    expect(check(on(23), days(18, 19, 20, 21, 22), live(on(18)))).toBeUndefined();
    expect(check(on(24), days(18, 19, 20, 21, 22, 23), live(on(18)))).toMatch(
      /^generation 2026-11-24T.* would push out 2026-11-18T.*, which is live or the way back: Bigtable keeps the newest 6; load one of 2026-11-19T.*, 2026-11-23T.* again/,
    );
  });

  test('protects the way back, and a canary', () => {
    const loads = days(18, 19, 20, 21, 22, 23);
    const canary = { generation: on(18), share: 0.01, untilMs: NOW };
    expect(check(on(24), loads, live(on(19)))).toBeUndefined();
    expect(check(on(24), loads, live(on(19), { previous: on(18) }))).toMatch(/would push out 2026-11-18T/);
    expect(check(on(24), loads, live(on(19), { canary }))).toMatch(/would push out 2026-11-18T/);
  });

  test.each([
    ['current', live(G22)],
    ['previous', live(G23, { previous: G22 })],
  ])('protects the lists of the %s generation from being changed', (_which, variant) => {
    expect(check(G22, [G22], variant)).toMatch(/is live or was before, and lists under a generation never change/);
  });

  test('refuses a generation that would be collected immediately', () => {
    expect(check(on(17), days(18, 19, 20, 21, 22, 23), live(on(23)))).toMatch(
      /is older than the newest 6 \(2026-11-23T/,
    );
  });

  test('refuses a generation that is older than lists may be, if that age is given', () => {
    const load = { generation: NOW - 30 * DAY, loads: [], live: undefined, nowMs: NOW };
    expect(whyNotLoad({ ...load, listMaxAgeDays: 30 })).toBeUndefined();
    expect(whyNotLoad({ ...load, generation: load.generation - 1 })).toBeUndefined();
    expect(whyNotLoad({ ...load, generation: load.generation - 1, listMaxAgeDays: 30 })).toMatch(
      /^generation 2026-10-25T.* is older than 30 days, so its lists would be collected at once$/,
    );
  });

  test('refuses a future generation, with a day of tolerance for clock skew', () => {
    expect(check(NOW + DAY, [])).toBeUndefined();
    expect(check(NOW + DAY + 1, [])).toMatch(/is in the future/);
  });
});

test('the newest six are kept, each once, newest first', () => {
  expect(newestKept(days(19, 17, 22, 22, 20, 18, 21, 23))).toEqual(days(23, 22, 21, 20, 19, 18));
});
