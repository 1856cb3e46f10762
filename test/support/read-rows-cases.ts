// Google's conformance cases for ReadRows: a stream of chunks per case, with the cells or the error that it means.
import { existsSync, readFileSync } from 'node:fs';
import type { Row } from '../../origin/bigtable/chunk-merger.ts';
import { realData } from './real-data.ts';

export interface ReadRowsCase {
  readonly description: string;
  /** Chunks as JSON: bytes are base64, and wrapped strings are plain strings. */
  readonly chunks: readonly Record<string, unknown>[];
  readonly results?: readonly CaseResult[];
}

interface CaseResult {
  readonly rowKey?: string;
  readonly familyName?: string;
  readonly qualifier?: string;
  readonly timestampMicros?: string;
  readonly value?: string;
  readonly label?: string;
  readonly error?: boolean;
}

export const READ_ROWS_CASES = 'bigtable/readrows.json';

/** Empty without the file. */
export const readRowsCases: readonly ReadRowsCase[] = existsSync(realData(READ_ROWS_CASES))
  ? (JSON.parse(readFileSync(realData(READ_ROWS_CASES), 'utf8')) as { readRowsTests: ReadRowsCase[] }).readRowsTests
  : [];

/** The outcome in the form of `outcomeOf`. */
export const expectedOutcome = ({ results = [] }: ReadRowsCase) => ({
  isError: results.some(({ error }) => error === true),
  cells: results
    .filter(({ error }) => error !== true)
    .map(({ rowKey, familyName, qualifier = '', timestampMicros = '0', value = '', label = '' }) => ({
      rowKey,
      familyName,
      qualifier,
      timestampMicros: Number(timestampMicros),
      value,
      label,
    })),
});

/** The cells of `rows`, and whether the stream ended with an error. */
export const outcomeOf = (rows: readonly Row[], isError: boolean) => ({
  isError,
  cells: rows.flatMap(({ key, cells }) =>
    cells.map(({ family, qualifier, timestampMicros, value, labels }) => ({
      rowKey: key.toString(),
      familyName: family,
      qualifier: qualifier.toString(),
      timestampMicros,
      value: value.toString(),
      label: labels[0] ?? '',
    })),
  ),
});
