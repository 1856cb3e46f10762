// Row filters, compiled once per request into a function from a row's cells to the cells that pass. An unimplemented
// filter is rejected by name; to ignore it would return unrequested cells.
import { timeRangeProblem } from '../mutations/mutation-checks.ts';
import { compareCells, type ReadCell, toText } from '../rows/row.ts';
import { familyNotFound, type Table } from '../rows/table.ts';
import type { RowFilter, TimestampRange } from '../wire/messages.ts';
import { invalidArgument, unimplemented } from '../wire/status.ts';
import { compileRegex, literalOf } from './regex.ts';

export type CellFilter = (key: string, cells: readonly ReadCell[]) => readonly ReadCell[];

const NO_CELLS: readonly ReadCell[] = [];
const NO_BYTES = Buffer.alloc(0);

/**
 * Limit from RowFilter in data.proto: at most 20480 serialized bytes. This check counts only the bytes of its values.
 */
const MAX_FILTER_BYTES = 20_480;

export function compileFilter(filter: RowFilter | null, table: Table): CellFilter {
  if (filter === null) return (_key, cells) => cells;
  const bytes = valueBytes(filter);
  if (bytes > MAX_FILTER_BYTES) throw invalidArgument(`row filter of ${bytes} bytes exceeds ${MAX_FILTER_BYTES}`);
  const compile = FILTERS[filter.filter ?? ''];
  if (compile === undefined) throw unimplemented(`row filter '${filter.filter ?? 'none'}' is not implemented`);
  return compile(filter, table);
}

const FILTERS: Record<string, (filter: RowFilter, table: Table) => CellFilter> = {
  chain: ({ chain }, table) => {
    const parts = compileParts('Chain', chain?.filters, table);
    return (key, cells) => {
      let passed = cells;
      for (const part of parts) {
        if (passed.length === 0) return NO_CELLS;
        passed = part(key, passed);
      }
      return passed;
    };
  },
  interleave: ({ interleave }, table) => {
    const parts = compileParts('Interleave', interleave?.filters, table);
    return (key, cells) => parts.flatMap((part) => part(key, cells)).sort(compareCells);
  },
  passAllFilter: ({ passAllFilter }) => {
    if (!passAllFilter) throw invalidArgument('pass_all_filter must be true if set');
    return (_key, cells) => cells;
  },
  blockAllFilter: ({ blockAllFilter }) => {
    if (!blockAllFilter) throw invalidArgument('block_all_filter must be true if set');
    return () => NO_CELLS;
  },
  rowKeyRegexFilter: ({ rowKeyRegexFilter }) => {
    const matches = compileRegex(toText(rowKeyRegexFilter ?? NO_BYTES), 'rowkey_regex_filter');
    return (key, cells) => (matches(key) ? cells : NO_CELLS);
  },
  familyNameRegexFilter: ({ familyNameRegexFilter: pattern = '' }, table) => {
    const name = literalOf(pattern);
    // As Bigtable does: a filter for one unknown family gets NOT_FOUND, not an empty row.
    if (name !== undefined && !table.families.has(name)) throw familyNotFound(table.name);
    const matches = compileRegex(pattern, 'family_name_regex_filter');
    return each((cell) => matches(cell.family));
  },
  columnQualifierRegexFilter: ({ columnQualifierRegexFilter }) => {
    const matches = compileRegex(toText(columnQualifierRegexFilter ?? NO_BYTES), 'column_qualifier_regex_filter');
    return each((cell) => matches(cell.qualifier));
  },
  columnRangeFilter: ({ columnRangeFilter: range }, table) => {
    const family = range?.familyName ?? '';
    if (!table.families.has(family)) throw familyNotFound(table.name);
    const within = compileRange(
      range?.startQualifierClosed,
      range?.startQualifierOpen,
      range?.endQualifierClosed,
      range?.endQualifierOpen,
    );
    return each((cell) => cell.family === family && within(cell.qualifier));
  },
  timestampRangeFilter: ({ timestampRangeFilter }) => {
    const range = timestampRangeFilter as TimestampRange;
    const problem = timeRangeProblem(range);
    if (problem !== undefined) throw invalidArgument(`Error in field 'timestamp_range_filter' : ${problem}`);
    const start = range.startTimestampMicros;
    const end = range.endTimestampMicros || Number.POSITIVE_INFINITY;
    return each((cell) => cell.timestampMicros >= start && cell.timestampMicros < end);
  },
  valueRegexFilter: ({ valueRegexFilter }) => {
    const matches = compileRegex(toText(valueRegexFilter ?? NO_BYTES), 'value_regex_filter');
    return each((cell) => matches(toText(cell.value)));
  },
  cellsPerRowLimitFilter: ({ cellsPerRowLimitFilter }) => {
    const limit = atLeastZero('cells_per_row_limit_filter', cellsPerRowLimitFilter);
    return (_key, cells) => (cells.length <= limit ? cells : cells.slice(0, limit));
  },
  cellsPerColumnLimitFilter: ({ cellsPerColumnLimitFilter }) => {
    const limit = atLeastZero('cells_per_column_limit_filter', cellsPerColumnLimitFilter);
    return (_key, cells) => firstOfEachColumn(cells, limit);
  },
  stripValueTransformer: () => (_key, cells) => cells.map((cell) => ({ ...cell, value: NO_BYTES })),
};

function compileParts(name: string, filters: readonly RowFilter[] = [], table: Table): CellFilter[] {
  if (filters.length < 2) throw invalidArgument(`${name} must contain at least two RowFilters`);
  return filters.map((filter) => compileFilter(filter, table));
}

function each(passes: (cell: ReadCell) => boolean): CellFilter {
  return (_key, cells) => cells.filter(passes);
}

function firstOfEachColumn(cells: readonly ReadCell[], limit: number): ReadCell[] {
  let seen = 0;
  return cells.filter((cell, index) => {
    const previous = cells[index - 1];
    seen = previous?.family === cell.family && previous.qualifier === cell.qualifier ? seen + 1 : 1;
    return seen <= limit;
  });
}

function compileRange(
  startClosed: Buffer | undefined,
  startOpen: Buffer | undefined,
  endClosed: Buffer | undefined,
  endOpen: Buffer | undefined,
): (text: string) => boolean {
  const start = startClosed ?? startOpen;
  const end = endClosed ?? endOpen;
  const low = start === undefined ? undefined : toText(start);
  const high = end === undefined ? undefined : toText(end);
  return (text) => {
    if (low !== undefined && (startOpen === undefined ? text < low : text <= low)) return false;
    return high === undefined || (endOpen === undefined ? text <= high : text < high);
  };
}

function atLeastZero(field: string, value = 0): number {
  if (value < 0) throw invalidArgument(`Error in field '${field}' : expected at least 0, got ${value}`);
  return value;
}

function valueBytes(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  for (const part of Object.values(value)) bytes += valueBytes(part);
  return bytes;
}
