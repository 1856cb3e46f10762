import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatGeneration,
  MAX_GENERATION,
  MIN_GENERATION,
  parseGeneration,
} from '../../../../shared/domain/generation.ts';

test('a generation comes back from its ISO form and from its milliseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: MIN_GENERATION, max: MAX_GENERATION }), (generation) => {
      expect(parseGeneration(formatGeneration(generation))).toBe(generation);
      expect(parseGeneration(String(generation))).toBe(generation);
    }),
  );
});

test.each([
  ['2026-11-22T03:00:00Z', 1_795_316_400_000],
  ['2026-11-22T04:00:00+01:00', 1_795_316_400_000],
  ['2026-11-22', 1_795_305_600_000],
])('%s is a generation', (text, generation) => {
  expect(parseGeneration(text)).toBe(generation);
});

test.each([
  '',
  '0',
  '-1',
  'yesterday',
  '2026-11-22T03:00:00',
  '2026-13-01',
  '1.5',
  '9999999999999999',
  '22 Nov 2026',
  '1795316400',
])('%j is none', (text) => {
  expect(parseGeneration(text)).toBeUndefined();
});
