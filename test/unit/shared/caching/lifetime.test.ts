import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../../shared/caching/entry.ts';
import {
  ABSENT_STALE_WINDOW_MS,
  ABSENT_TTL_MS,
  ITEM_TTL_MS,
  JITTER,
  MAX_REVALIDATE_WINDOW_MS,
  makeEntry,
  STALE_WINDOW_MS,
  shouldRefreshEarly,
} from '../../../../shared/caching/lifetime.ts';
import type { ListValue } from '../../../../shared/domain/list.ts';

const LIST: ListValue = { kind: 'list', bytes: new Uint8Array([1]), generation: 1, digest: 'd' };
const ABSENT: ListValue = { kind: 'absent' };
const STORED_AT_MS = 1_795_402_800_000;
const times = { storedAtMs: STORED_AT_MS, loadMs: 12 };
const whole = () => 0;
const timesOf = ({ freshUntilMs, revalidateUntilMs, staleUntilMs }: Entry) => ({
  fresh: freshUntilMs - STORED_AT_MS,
  revalidate: revalidateUntilMs - freshUntilMs,
  stale: staleUntilMs - freshUntilMs,
});

describe('an entry', () => {
  test('with a list is fresh for its TTL, revalidated for as long or an hour, and kept for a day', () => {
    expect(timesOf(makeEntry(LIST, 60, times, whole))).toEqual({
      fresh: 60_000,
      revalidate: 60_000,
      stale: STALE_WINDOW_MS,
    });
    expect(timesOf(makeEntry(LIST, 21_600, times, whole))).toEqual({
      fresh: 21_600_000,
      revalidate: MAX_REVALIDATE_WINDOW_MS,
      stale: STALE_WINDOW_MS,
    });
  });

  test('with absence is fresh for 30 seconds or the TTL, and never served stale before a new load', () => {
    const window = { revalidate: 0, stale: ABSENT_STALE_WINDOW_MS };
    expect(timesOf(makeEntry(ABSENT, 21_600, times, whole))).toEqual({ fresh: ABSENT_TTL_MS, ...window });
    expect(timesOf(makeEntry(ABSENT, 5, times, whole))).toEqual({ fresh: 5_000, ...window });
  });

  test('with an expanded list is fresh no longer than its oldest item or the list, and revalidated for at most as long', () => {
    const fromItems = (agoMs: number, ttlSeconds: number) =>
      timesOf(makeEntry(LIST, ttlSeconds, { ...times, itemsStoredAtMs: STORED_AT_MS - agoMs }, whole));
    const window = { revalidate: ITEM_TTL_MS, stale: STALE_WINDOW_MS };
    expect(fromItems(0, 21_600)).toEqual({ fresh: ITEM_TTL_MS, ...window });
    expect(fromItems(120_000, 21_600)).toEqual({ fresh: ITEM_TTL_MS - 120_000, ...window });
    expect(fromItems(-600_000, 700)).toEqual({ fresh: 700_000, ...window });
    expect(fromItems(0, 60)).toEqual({ fresh: 60_000, revalidate: 60_000, stale: STALE_WINDOW_MS });
  });

  test('with absence ignores item ages', () => {
    const entry = makeEntry(ABSENT, 21_600, { ...times, itemsStoredAtMs: 0 }, whole);
    expect(timesOf(entry)).toEqual({ fresh: ABSENT_TTL_MS, revalidate: 0, stale: ABSENT_STALE_WINDOW_MS });
  });

  test('records the start and the duration of its load', () => {
    expect(makeEntry(LIST, 60, times, whole)).toMatchObject({ ...times, value: LIST });
  });

  test('lives between nine tenths of its TTL and all of it, and its windows are in order', () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(LIST, ABSENT), fc.integer({ min: 1, max: 604_800 }), chance, (value, ttl, drawn) => {
        const { freshUntilMs, revalidateUntilMs, staleUntilMs } = makeEntry(value, ttl, times, () => drawn);
        const ttlMs = value.kind === 'absent' ? Math.min(ABSENT_TTL_MS, ttl * 1000) : ttl * 1000;
        expect(freshUntilMs - STORED_AT_MS).toBeLessThanOrEqual(ttlMs);
        expect(freshUntilMs - STORED_AT_MS).toBeGreaterThanOrEqual(ttlMs * (1 - JITTER));
        expect(Number.isInteger(freshUntilMs)).toBe(true);
        expect(revalidateUntilMs).toBeGreaterThanOrEqual(freshUntilMs);
        expect(staleUntilMs).toBeGreaterThanOrEqual(revalidateUntilMs);
      }),
    );
  });

  test('copies its list out of a larger buffer', () => {
    const answer = new Uint8Array(1_000);
    const { value } = makeEntry({ ...LIST, bytes: answer.subarray(10, 20) }, 60, times, whole);
    expect(value.kind === 'list' && value.bytes.buffer.byteLength).toBe(10);
  });
});

describe('an early refresh', () => {
  const entry = (loadMs: number): Entry => makeEntry(LIST, 60, { storedAtMs: 0, loadMs }, whole);
  const likelihood = (loadMs: number, leftMs: number): number => {
    const draws = 10_000;
    const isDue = (_: unknown, i: number) => shouldRefreshEarly(entry(loadMs), 60_000 - leftMs, () => i / draws);
    return Array.from({ length: draws }, isDue).filter(Boolean).length / draws;
  };

  test.each([
    [100, 100],
    [100, 300],
    [1_000, 500],
  ])('for a list that loads in %i ms has, with %i ms left, the likelihood e^(-left/load)', (loadMs, leftMs) => {
    expect(likelihood(loadMs, leftMs)).toBeCloseTo(Math.exp(-leftMs / loadMs), 3);
  });

  test('is certain at the end of the TTL, and never happens for a list that loads in no time', () => {
    expect(likelihood(100, 0)).toBe(1);
    expect(likelihood(0, 0)).toBe(1);
    expect(likelihood(0, 1)).toBe(0);
  });

  test('does not happen long before the end of the TTL, for any random number', () => {
    // The largest result of Math.random below 1.
    expect(shouldRefreshEarly(entry(100), 60_000 - 4_000, () => 1 - 2 ** -53)).toBe(false);
  });
});
