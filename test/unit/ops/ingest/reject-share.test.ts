// The share of lines that a load may reject: at its end, and when it cannot be reached any more.
import { expect, test } from 'vitest';
import { requireFew, requireFewSoFar, requireSome } from '../../../../ops/ingest/reject-share.ts';
import type { Rejects } from '../../../../ops/ingest/rejects.ts';

const rejects = (count: number): Rejects => ({
  ...{ path: 'rejects.ndjson', count: () => count },
  add: async () => undefined,
  close: async () => undefined,
});

test.each([
  [1, 999, true],
  [1, 998, false],
  [0, 0, true],
  [1_000, 999_000, true],
  [1_001, 999_000, false],
])('%d rejects beside %d valid lines', (count, valid, isRight) => {
  const check = () => requireFew(rejects(count), valid, 0.001);
  if (isRight) check();
  else
    expect(check).toThrow(
      /expected at most 0\.1 % of the lines to be invalid, got .* kept with the reasons in rejects/,
    );
});

test('a load without a valid line is refused: also one of whole files without records', () => {
  requireSome(1, 'list', rejects(0));
  expect(() => requireSome(0, 'list', rejects(0))).toThrow(/^expected at least one valid list, got none$/);
  expect(() => requireSome(0, 'list', rejects(2))).toThrow(/got 2 lines that are invalid, kept in rejects\.ndjson$/);
});

test('a load ends early only for more rejects than the largest load may have', () => {
  for (const count of [0, 1_000, 100_000]) requireFewSoFar(rejects(count), 0.001);
  expect(() => requireFewSoFar(rejects(101_000), 0.001)).toThrow(/got 101 000 lines so far/);
  requireFewSoFar(rejects(1_000_000_000), 1);
  requireFewSoFar(rejects(0), 0);
  expect(() => requireFewSoFar(rejects(1), 0)).toThrow('got 1 line so far');
});
