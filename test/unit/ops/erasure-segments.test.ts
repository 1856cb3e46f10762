import { describe, expect, test } from 'vitest';
import { changeSegments, MAX_RECENT, toErasureJson, toSegment } from '../../../ops/effects/erasure-segments.ts';
import {
  HIDDEN_MS,
  KEEP_ERASURE_MS,
  MAX_ERASURES,
  parseErasures,
} from '../../../shared/domain/effects/erasure-document.ts';

const NOW_MS = 1_795_410_000_000;
const many = (count: number, atMs: number | null, from = 0) =>
  new Map(Array.from({ length: count }, (_, i) => [from + i, atMs] as const));

describe('changeSegments', () => {
  test('hides a user, and a final moment ends it', () => {
    const hidden = changeSegments([], new Map([[7, null]]), NOW_MS);
    expect(hidden).toEqual([new Map([[7, null]])]);
    expect(changeSegments(hidden, new Map([[7, NOW_MS]]), NOW_MS)).toEqual([new Map([[7, NOW_MS]])]);
  });

  test('the later of two final moments counts, and a second erasure hides again', () => {
    const first = changeSegments([], new Map([[7, NOW_MS]]), NOW_MS);
    expect(changeSegments(first, new Map([[7, NOW_MS - 5]]), NOW_MS)).toEqual([new Map([[7, NOW_MS]])]);
    expect(changeSegments(first, new Map([[7, null]]), NOW_MS)).toEqual([new Map([[7, null]])]);
  });

  test('many final moments become one large part, which later changes leave as it is', () => {
    const [large, last] = changeSegments([], many(MAX_RECENT + 1, NOW_MS), NOW_MS);
    expect([large?.size, last?.size]).toEqual([MAX_RECENT + 1, 0]);
    const next = changeSegments(
      [large, last].flatMap((part) => part ?? []),
      new Map([[-1, null]]),
      NOW_MS,
    );
    expect(next[0]).toBe(large);
    expect(next[1]).toEqual(new Map([[-1, null]]));
  });

  test('hidden users stay in the part that changes', () => {
    const [large, last] = changeSegments([many(3, null)], many(MAX_RECENT + 1, NOW_MS, 10), NOW_MS);
    expect(large?.size).toBe(MAX_RECENT + 1);
    expect(last).toEqual(many(3, null));
  });

  test('what is over is forgotten, and no sooner', () => {
    const parts = [new Map([[1, NOW_MS]])];
    const at = (nowMs: number) => changeSegments(parts, new Map([[2, nowMs]]), nowMs)[0]?.has(1);
    expect([at(NOW_MS + KEEP_ERASURE_MS - 1), at(NOW_MS + KEEP_ERASURE_MS)]).toEqual([true, false]);
  });

  test('a full large part stays as it is, and the next one takes what comes', () => {
    const full = many(MAX_ERASURES, NOW_MS);
    const parts = changeSegments([full, new Map()], many(MAX_RECENT + 1, NOW_MS, MAX_ERASURES), NOW_MS);
    expect(parts.map(({ size }) => size)).toEqual([MAX_ERASURES, MAX_RECENT + 1, 0]);
    expect(parts[0]).toBe(full);
    const next = changeSegments(parts, many(MAX_RECENT + 1, NOW_MS, 2 * MAX_ERASURES), NOW_MS);
    expect(next.map(({ size }) => size)).toEqual([MAX_ERASURES, 2 * (MAX_RECENT + 1), 0]);
  });

  test('parts without room are put together anew, without what is over', () => {
    const old = NOW_MS - KEEP_ERASURE_MS;
    const full = [many(MAX_ERASURES, old), many(MAX_ERASURES, NOW_MS, MAX_ERASURES), many(MAX_ERASURES, NOW_MS, -1)];
    const parts = changeSegments([...full, new Map()], many(MAX_RECENT + 1, NOW_MS, 3 * MAX_ERASURES), NOW_MS);
    expect(parts.map(({ size }) => size)).toEqual([MAX_ERASURES, MAX_ERASURES, MAX_RECENT + 1, 0]);
  });

  test('too many erasures are refused', () => {
    const message = 'expected at most 300000 erasures within 31 days, and 100000 hidden users at once, got';
    expect(() => changeSegments([], many(MAX_ERASURES + 1, null), NOW_MS)).toThrow(message);
    const full = [0, 1, 2].map((i) => many(MAX_ERASURES, NOW_MS, i * MAX_ERASURES));
    const more = many(MAX_RECENT + 1, NOW_MS, 3 * MAX_ERASURES);
    expect(() => changeSegments([...full, new Map()], more, NOW_MS)).toThrow(message);
  });
});

test('a document has what a part has', () => {
  const part = new Map([
    [2 ** 53 - 1, NOW_MS],
    [0, null],
    [77, 5],
  ]);
  const json = toErasureJson(part);
  const document = parseErasures(JSON.parse(json));
  expect([0, 77, 2 ** 53 - 1, 78].map(document.atMs)).toEqual([HIDDEN_MS, 5, NOW_MS, 0]);
  expect(toSegment(json)).toEqual(new Map([...part].sort(([a], [b]) => a - b)));
});
