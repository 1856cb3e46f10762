// An immutable row. A write makes a new row, so a reader keeps a consistent one for as long as it needs it. The stored
// form is one string (packed-row.ts).

export interface Cell {
  readonly timestampMicros: number;
  readonly value: Buffer;
}

export interface Column {
  readonly family: string;
  /** The qualifier's bytes as latin1: string order is byte order. */
  readonly qualifier: string;
  /** Newest first, one cell per timestamp, never empty. */
  readonly cells: readonly Cell[];
}

/** Sorted by family, then qualifier. A row without columns is not stored. */
export type Row = readonly Column[];

/** One cell of an answer, before or after the filters. */
export interface ReadCell {
  readonly family: string;
  readonly qualifier: string;
  readonly timestampMicros: number;
  readonly value: Buffer;
}

/** Order of cells in an answer: family, then qualifier, then newest first. */
export function compareCells(a: ReadCell, b: ReadCell): number {
  return (
    compareText(a.family, b.family) || compareText(a.qualifier, b.qualifier) || b.timestampMicros - a.timestampMicros
  );
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Conversion of bytes to a string with the same order. */
export const toText = (bytes: Buffer): string => bytes.toString('latin1');
export const toBytes = (text: string): Buffer => Buffer.from(text, 'latin1');
