// Packed rows: all bytes survive the round trip.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packRow, unpackRow } from '../../../../dev/bigtable/rows/packed-row.ts';

const bytes = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array));
const cell = fc.record({ timestampMicros: fc.maxSafeNat(), value: bytes });
const column = fc.record({
  family: fc.stringMatching(/^[-_.a-zA-Z0-9]{1,64}$/),
  qualifier: bytes.map((qualifier) => qualifier.toString('latin1')),
  cells: fc.array(cell, { minLength: 1, maxLength: 3 }),
});

test('a row of any bytes comes back as it was, and the same row is the same string', () => {
  fc.assert(
    fc.property(fc.array(column, { minLength: 1, maxLength: 4 }), (row) => {
      expect(unpackRow(packRow(row))).toEqual(row);
      expect(packRow(unpackRow(packRow(row)))).toBe(packRow(row));
    }),
  );
});

test('a row of large cells comes back as it was', () => {
  const value = Buffer.alloc(10_000_000, '|;,\n');
  const row = [{ family: 'f', qualifier: 'q', cells: [{ timestampMicros: 1000, value }] }];
  expect(unpackRow(packRow(row))[0]?.cells[0]?.value.equals(value)).toBe(true);
});
