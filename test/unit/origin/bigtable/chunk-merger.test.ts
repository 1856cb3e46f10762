// The merger of ReadRows chunks against Google's conformance set, if the set is present, and against the main rules in
// any case.
import { describe, expect, test } from 'vitest';
import { type CellChunk, createChunkMerger, type Row } from '../../../../origin/bigtable/chunk-merger.ts';
import { expectedOutcome, outcomeOf, READ_ROWS_CASES, readRowsCases } from '../../../support/read-rows-cases.ts';
import { describeWithRealData } from '../../../support/real-data.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** The rows before the stream violates the protocol, and whether it does. */
function mergeAll(chunks: readonly CellChunk[]): { rows: Row[]; isError: boolean } {
  const merger = createChunkMerger();
  const rows: Row[] = [];
  try {
    for (const chunk of chunks) {
      const row = merger.push(chunk);
      if (row !== undefined) rows.push(row);
    }
    merger.end();
    return { rows, isError: false };
  } catch {
    return { rows, isError: true };
  }
}

const cell = (row: string, value: string): CellChunk => ({
  rowKey: bytes(row),
  familyName: { value: 'l' },
  qualifier: { value: bytes('q') },
  timestampMicros: '1000',
  value: bytes(value),
});

describe('the chunk merger', () => {
  test('puts a value that came in pieces together', () => {
    const { rows } = mergeAll([
      { ...cell('a', 'one'), valueSize: 6 },
      { value: bytes('two'), commitRow: true },
    ]);
    expect(rows[0]?.cells[0]?.value.toString()).toBe('onetwo');
  });

  test('gives a value of 8 bytes as bytes', () => {
    const { rows } = mergeAll([{ ...cell('a', '\0\0\0\0\0\0\0\x07'), commitRow: true }]);
    expect(rows[0]?.cells[0]?.value).toEqual(Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]));
  });

  test('forgets a row that was reset', () => {
    expect(mergeAll([cell('a', 'x'), { resetRow: true }])).toEqual({ rows: [], isError: false });
  });

  test.each<[what: string, chunks: CellChunk[]]>([
    ['a stream that ends inside a row', [cell('a', 'x')]],
    [
      'rows out of order',
      [
        { ...cell('b', 'x'), commitRow: true },
        { ...cell('a', 'x'), commitRow: true },
      ],
    ],
    [
      'a row twice',
      [
        { ...cell('a', 'x'), commitRow: true },
        { ...cell('a', 'x'), commitRow: true },
      ],
    ],
    ['a commit inside a value', [{ ...cell('a', 'x'), valueSize: 9, commitRow: true }]],
    [
      'another cell inside a value',
      [
        { ...cell('a', 'x'), valueSize: 9 },
        { ...cell('a', 'y'), commitRow: true },
      ],
    ],
  ])('refuses %s', (_what, chunks) => {
    expect(mergeAll(chunks).isError).toBe(true);
  });
});

describeWithRealData("Google's conformance cases for ReadRows", READ_ROWS_CASES, () => {
  test.each(readRowsCases)('$description', (each) => {
    const { rows, isError } = mergeAll(each.chunks.map(toChunk));
    expect(outcomeOf(rows, isError)).toEqual(expectedOutcome(each));
  });
});

/** JSON has bytes as base64 and wrapped strings as plain strings. */
function toChunk(json: Record<string, unknown>): CellChunk {
  const base64 = (value: unknown): Buffer | undefined =>
    typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
  return {
    ...json,
    rowKey: base64(json.rowKey) ?? null,
    familyName: typeof json.familyName === 'string' ? { value: json.familyName } : null,
    qualifier: typeof json.qualifier === 'string' ? { value: base64(json.qualifier) ?? null } : null,
    value: base64(json.value) ?? null,
  };
}
