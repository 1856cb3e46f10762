// The rows that have a cell of one column and one moment, without its value.
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { readRows } from '../../origin/bigtable/read-rows.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

export interface CellColumn {
  readonly table: string;
  readonly family: string;
  readonly qualifier: string;
  readonly timestampMs: number;
}

/** Row keys begin with 4 hex digits; a part has those that share the first two. */
const PARTS = 256;

/** Row keys, part by part. Throws an EarshotError. */
export async function* scanCells(
  { bigtable, retries }: ControlTable,
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
    const rows = { rowRanges: [{ startKeyClosed: Buffer.from(prefix), endKeyOpen: Buffer.from(`${prefix}~`) }] };
    const found = await withRetries(retries, (timeoutMs) =>
      readRows(bigtable, { table, appProfile: APP_PROFILES.ingest, rows, filter, timeoutMs }),
    );
    yield found.map(({ key }) => key.toString('latin1'));
  }
}
