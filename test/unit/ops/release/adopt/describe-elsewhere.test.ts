import { expect, test } from 'vitest';
import { describeColumns, describeMoments } from '../../../../../ops/release/adopt/describe-elsewhere.ts';
import { toName } from '../../../../../shared/domain/ids.ts';

const line = { surface: toName('home'), variant: toName('control') };
const GENERATION = Date.parse('2026-11-29T03:00:00Z');
const NOW = Date.parse('2026-11-30T12:00:00Z');

test.each([
  [GENERATION, 'the generation in milliseconds, where Bigtable has microseconds: multiply by 1000'],
  [GENERATION * 1e6, 'the generation in microseconds, where the client has milliseconds: divide by 1000'],
  [(NOW - 1000) * 1000, '2026-11-30T11:59:59.000Z (about now: the engine set no timestamp)'],
  [(GENERATION - 86_400_000) * 1000, 'other timestamps: 2026-11-28T03:00:00.000Z'],
  [0, 'other timestamps: 0 µs'],
])('the timestamp %i is explained', (micros, words) => {
  expect(describeMoments([micros], GENERATION, NOW)).toContain(words);
});

test('five timestamps are named, the newest first', () => {
  const micros = Array.from({ length: 8 }, (_, i) => (GENERATION - (i + 2) * 86_400_000) * 1000);
  expect(describeMoments(micros, GENERATION, NOW)).toMatch(/: 2026-11-27T.*, 2026-11-23T03:00:00.000Z and 3 more$/);
});

test.each([
  [
    ['l:radio/control', 'x:home/control'],
    'the same qualifier is in another family: x:home/control, not l:home/control',
  ],
  [['l:home:control'], 'a similar qualifier is in the table: l:home:control, not l:home/control'],
  [['l:Control'], 'a similar qualifier is in the table: l:Control, not l:home/control'],
  [['l:radio/knn'], 'the table has the columns l:radio/knn, and no l:home/control'],
  [['l:home/control'], 'that column has only lists of recorded releases'],
  [[], 'the table has no lists'],
])('the columns %j are explained', (columns, words) => {
  expect(describeColumns(new Set(columns), line)).toBe(words);
});
