import { expect, test } from 'vitest';
import { describeShortage, groupShards, rangeOf, SHARDS } from '../../../../../ops/release/adopt/key-shards.ts';

const even = (lists: number): number[] => Array.from({ length: SHARDS - 1 }, () => lists);

test('the ranges of the shards follow each other, and are the whole table', () => {
  const ranges = Array.from({ length: SHARDS }, (_, shard) => rangeOf(shard));
  expect(ranges[0]).toEqual({ from: '', to: '01' });
  expect(ranges.slice(1).map(({ from }) => from)).toEqual(ranges.slice(0, -1).map(({ to }) => to));
  expect(ranges.slice(-2)).toEqual([
    { from: 'ff', to: 'g' },
    { from: 'g', to: undefined },
  ]);
});

test.each([
  [12_500_000, 256],
  [16_384, 256],
  [16_383, 128],
  [2_000, 16],
  [127, 1],
  [1, 1],
])('a load of %i lists is compared in %i groups', (expected, groups) => {
  expect(groupShards(even(1), expected)).toHaveLength(groups);
});

test('a group has the lists of its shards', () => {
  const counts = even(1);
  counts[0x30] = 7;
  expect(groupShards(counts, 2_000)[3]).toEqual({ prefixes: '30-3f', lists: 22 });
  expect(groupShards(counts, 16_384)[0x30]).toEqual({ prefixes: '30', lists: 7 });
});

test.each([
  [[], /^no shard of the row key is short/],
  [[[3, 0]], /^one shard missing: 03 has 0, the median is 1 000$/],
  [[[3, 499]], /^one shard missing: 03 has 499/],
  [[[3, 501]], /^no shard/],
  [Array.from({ length: 12 }, (_, i) => [i, 0]), /^12 shards missing: 00 has 0, .*09 has 0 and 2 more, the median/],
])('shards that are short are named: %j', (changes, words) => {
  const counts = even(1_000);
  for (const [shard = 0, lists = 0] of changes) counts[shard] = lists;
  expect(describeShortage(groupShards(counts, 256_000))).toMatch(words);
});

test('few lists tell nothing of shards', () => {
  expect(describeShortage(groupShards(even(0), 100))).toBe('too few lists to tell a missing shard');
});
