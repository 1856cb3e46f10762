// The rows that have a cell of one column and one moment, without its value.
import type { ControlTable } from './control-table.ts';
import { scanPages } from './scan-pages.ts';

export interface CellColumn {
  readonly table: string;
  readonly family: string;
  readonly qualifier: string;
  readonly timestampMs: number;
}

/** Row keys begin with 4 hex digits; a part has those that share the first two. */
const PARTS = 256;

/** Keys of a call. A part of a large table has hundreds of thousands. */
const KEYS_PER_PAGE = 5_000;

/** Row keys, page by page. Throws an EarshotError. */
export async function* scanCells(
  control: ControlTable,
  { table, family, qualifier, timestampMs }: CellColumn,
): AsyncGenerator<readonly string[]> {
  const column = Buffer.from(qualifier);
  const startTimestampMicros = timestampMs * 1000;
  const filter = {
    chain: {
      filters: [
        { columnRangeFilter: { familyName: family, startQualifierClosed: column, endQualifierClosed: column } },
        { timestampRangeFilter: { startTimestampMicros, endTimestampMicros: startTimestampMicros + 1000 } },
        { stripValueTransformer: true },
      ],
    },
  };
  for (let part = 0; part < PARTS; part++) {
    const prefix = part.toString(16).padStart(2, '0');
    const range = { from: prefix, to: `${prefix}~` };
    for await (const rows of scanPages(control, { table, range, filter, rowsPerPage: KEYS_PER_PAGE }))
      yield rows.map(({ key }) => key.toString('latin1'));
  }
}
