import { expect, test } from 'vitest';
import { parseDuration, parseWeight } from '../../../../ops/cli/arguments.ts';
import { formatCount, formatDuration } from '../../../../ops/cli/format.ts';

test.each([
  ['0', 0],
  ['1000', 1000],
  ['10000', 10_000],
])('%s is a weight', (text, weight) => {
  expect(parseWeight(text)).toBe(weight);
});

test.each(['', '-1', '10001', '1.5', '10%', 'half'])('%j is no weight', (text) => {
  expect(() => parseWeight(text)).toThrow('expected a whole number from 0 to 10000.');
});

test.each([
  ['90s', 90_000],
  ['10m', 600_000],
  ['6h', 21_600_000],
  ['1d', 86_400_000],
])('%s is %i ms', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs);
});

test.each(['', '10', '1w', '-5m', '1.5h'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow('expected a duration like 90s, 10m, 6h or 1d.');
});

test('numbers are written for people', () => {
  expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1 000', '1 234 567']);
  expect([450, 12_400, 185_000, 120_000, 21_600_000].map(formatDuration)).toEqual([
    '0.5 s',
    '12 s',
    '3 min 5 s',
    '2 min',
    '6 h',
  ]);
});
