import { expect, test } from 'vitest';
import { createSeenIds } from '../../../../ops/ingest/seen-ids.ts';

test('an id differs from a hundred thousand others, and its first line is named', () => {
  const seen = createSeenIds();
  for (let line = 1; line <= 100_000; line++) expect(seen.add(`user:${line}`, line)).toBeUndefined();
  for (let line = 1; line <= 100_000; line += 997) expect(seen.add(`user:${line}`, 200_000)).toBe(line);
  expect([seen.has('user:1'), seen.has('user:100000'), seen.has('user:100001')]).toEqual([true, true, false]);
});

test('a load with more ids than the bound is refused, not loaded unchecked', () => {
  const seen = createSeenIds(3072);
  for (let line = 1; line <= 3072; line++) seen.add(`user:${line}`, line);
  expect(() => seen.add('one-more', 3073)).toThrow('expected at most 3072 lines in a load');
});
