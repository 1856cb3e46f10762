// The merger of ReadRows chunks against Google's conformance set, if the set is present, and against the main rules in
// any case.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type CellChunk, createChunkMerger, type Row } from '../../../../origin/bigtable/chunk-merger.ts';
import { describeWithRealData, realData } from '../../../support/real-data.ts';

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

interface ConformanceCase {
  readonly description: string;
  readonly chunks: readonly Record<string, unknown>[];
  readonly results?: readonly {
    rowKey?: string;
    familyName?: string;
    qualifier?: string;
    timestampMicros?: string;
    value?: string;
    label?: string;
    error?: boolean;
  }[];
}

const CASES = 'bigtable/readrows.json';

describeWithRealData("Google's conformance cases for ReadRows", CASES, () => {
  const cases = existsSync(realData(CASES))
    ? (JSON.parse(readFileSync(realData(CASES), 'utf8')) as { readRowsTests: ConformanceCase[] }).readRowsTests
    : [];

  test.each(cases)('$description', ({ chunks, results = [] }) => {
    const { rows, isError } = mergeAll(chunks.map(toChunk));
    const cells = rows.flatMap(({ key, cells }) => cells.map((each) => ({ key, ...each })));
    expect(isError).toBe(results.some(({ error }) => error));
    expect(
      cells.map(({ key, family, qualifier, timestampMicros, value, labels }) => ({
        rowKey: key.toString(),
        familyName: family,
        qualifier: qualifier.toString(),
        timestampMicros,
        value: value.toString(),
        label: labels[0] ?? '',
      })),
    ).toEqual(
      results
        .filter(({ error }) => !error)
        .map((result) => ({
          rowKey: result.rowKey,
          familyName: result.familyName,
          qualifier: result.qualifier ?? '',
          timestampMicros: Number(result.timestampMicros ?? 0),
          value: result.value ?? '',
          label: result.label ?? '',
        })),
    );
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
