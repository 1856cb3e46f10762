// Application of resolved mutations to a row. The result is a new row that shares unchanged columns with the old one.
// The old row is never modified.
import { type PackedRow, packRow, unpackRow } from '../rows/packed-row.ts';
import { type Cell, type Column, compareText, type Row } from '../rows/row.ts';
import type { Family } from '../rows/table.ts';
import type { RowMutation } from './mutations.ts';

/** Applies mutations to a row in its packed form. */
export function applyToPacked(packed: PackedRow | undefined, mutations: readonly RowMutation[]): PackedRow | undefined {
  const row = applyMutations(packed === undefined ? undefined : unpackRow(packed), mutations);
  return row === undefined ? undefined : packRow(row);
}

/** The row after the mutations. Undefined if no cell is left. */
function applyMutations(row: Row | undefined, mutations: readonly RowMutation[]): Row | undefined {
  let columns: Column[] = row === undefined ? [] : [...row];
  // Columns made here may be changed in place: many cells in one write then do not copy a column once per cell.
  const drafts = new Map<Column, Cell[]>();
  for (const mutation of mutations) {
    if (mutation.kind === 'delete-row') columns = [];
    else if (mutation.family.dropped) continue;
    else if (mutation.kind === 'delete-family')
      columns = columns.filter(({ family }) => family !== mutation.family.name);
    else if (mutation.kind === 'delete-column') deleteCells(columns, mutation);
    else setCell(columns, drafts, mutation.family, mutation.qualifier, mutation.cell);
  }
  return columns.length === 0 ? undefined : columns;
}

function setCell(columns: Column[], drafts: Map<Column, Cell[]>, family: Family, qualifier: string, cell: Cell): void {
  const index = findColumn(columns, family.name, qualifier);
  const found = columns[index];
  const exists = found?.family === family.name && found.qualifier === qualifier;
  let cells = exists ? drafts.get(found) : undefined;
  if (cells === undefined) {
    cells = exists ? [...found.cells] : [];
    const draft: Column = { family: family.name, qualifier, cells };
    drafts.set(draft, cells);
    columns.splice(index, exists ? 1 : 0, draft);
  }
  insertCell(cells, cell);
  if (cells.length > family.versionsKept) cells.length = family.versionsKept;
}

function insertCell(cells: Cell[], cell: Cell): void {
  let low = 0;
  let high = cells.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cells[middle] as Cell).timestampMicros > cell.timestampMicros) low = middle + 1;
    else high = middle;
  }
  cells.splice(low, cells[low]?.timestampMicros === cell.timestampMicros ? 1 : 0, cell);
}

function deleteCells(columns: Column[], mutation: RowMutation & { kind: 'delete-column' }): void {
  const { family, qualifier, startMicros, endMicros } = mutation;
  const index = findColumn(columns, family.name, qualifier);
  const column = columns[index];
  if (column?.family !== family.name || column.qualifier !== qualifier) return;
  const cells = column.cells.filter(({ timestampMicros: at }) => at < startMicros || at >= endMicros);
  if (cells.length === 0) columns.splice(index, 1);
  else columns[index] = { family: family.name, qualifier, cells };
}

/** Index of the column, or the index at which to insert it. */
function findColumn(columns: readonly Column[], family: string, qualifier: string): number {
  let low = 0;
  let high = columns.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const column = columns[middle] as Column;
    const order = compareText(column.family, family) || compareText(column.qualifier, qualifier);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
