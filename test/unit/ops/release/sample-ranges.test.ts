// The ranges of the sample: they grow with the density of the table, end at a whole prefix, and cover the rest of the
// table by single prefixes.
import { describe, expect, test } from 'vitest';
import {
  endOfSample,
  firstRange,
  keysOf,
  nextRange,
  PREFIXES,
  prefixOf,
  spreadRanges,
} from '../../../../ops/release/gate/sample-ranges.ts';

/** Reads a table with `density` users per prefix until there are 10 000 users. */
function walk(density: number) {
  let range: ReturnType<typeof nextRange> = firstRange;
  let users = 0;
  let calls = 0;
  let largest = 0;
  let readTo = 0;
  while (range !== undefined && users < 10_000) {
    const before = users;
    users = Math.round(range.to * density);
    largest = Math.max(largest, users - before);
    readTo = range.to;
    calls++;
    range = nextRange(readTo, users);
  }
  return { users, calls, largest, readTo };
}

describe('the ranges', () => {
  test.each([
    { density: 1525, calls: 7 },
    { density: 15, calls: 12 },
    { density: 3, calls: 15 },
    { density: 0.5, calls: 15 },
  ])(
    'of a table with $density users a prefix end after 10 000 users, in calls of some thousand rows',
    ({ density, calls }) => {
      const walked = walk(density);
      expect(walked.users).toBeGreaterThanOrEqual(10_000);
      expect(walked.calls).toBeLessThanOrEqual(calls);
      expect(walked.largest).toBeLessThan(2_000);
    },
  );

  test('of a small or an empty table end with the table, in few calls', () => {
    expect(walk(0.03)).toMatchObject({ readTo: PREFIXES, users: 1966 });
    expect(walk(0)).toMatchObject({ readTo: PREFIXES, users: 0 });
    expect(walk(0).calls).toBeLessThan(8);
  });

  test('follow each other without a gap, as row keys', () => {
    const keys = (from: number, to: number) => Object.values(keysOf({ from, to })).map(String);
    expect(keys(0, 1)).toEqual(['0000', '0001']);
    expect(keys(1, 0x1ff)).toEqual(['0001', '01ff']);
    expect(keys(0xfff0, PREFIXES)).toEqual(['fff0', 'g']);
    expect(prefixOf('01ff#u:1')).toBe(0x1ff);
  });
});

describe('the end of the sample', () => {
  test('is the first whole prefix with enough users, however far was read', () => {
    const prefixes = [7, 0, 0, 1, 3, 3, 3];
    expect(endOfSample(prefixes, 4)).toBe(4);
    expect(endOfSample([...prefixes, 9, 9, 12], 4)).toBe(4);
    expect(endOfSample(prefixes, 7)).toBe(8);
    expect(endOfSample(prefixes, 8)).toBeUndefined();
  });
});

describe('the spread prefixes', () => {
  const all = (readTo: number, users: number) => spreadRanges(readTo, users).flat();

  test('lie behind the first part and reach the end of the table', () => {
    const ranges = all(3_300, 10_000);
    expect(ranges).toHaveLength(256 - 12);
    expect(ranges.every(({ from, to }) => from >= 3_300 && to === from + 1)).toBe(true);
    expect(ranges.at(-1)).toEqual({ from: 0xffff, to: PREFIXES });
  });

  test('are fewer in a large table, and among those of a small one', () => {
    const few = all(7, 10_675).map(({ from }) => from);
    expect(few).toHaveLength(4);
    const many = all(3_300, 10_000).map(({ from }) => from);
    expect(few.filter((prefix) => prefix >= 3_300).every((prefix) => many.includes(prefix))).toBe(true);
  });

  test('go into calls of about 1 000 rows', () => {
    expect(spreadRanges(7, 10_675).map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(spreadRanges(3_300, 10_000).map(({ length }) => length)).toEqual([244]);
  });

  test('are none behind the end of the table, or in an empty one', () => {
    expect(all(PREFIXES, 500)).toEqual([]);
    expect(all(PREFIXES, 0)).toEqual([]);
  });
});
