// SampleRowKeys: the table's tablets are those of its creation. Offsets are estimates, as in Bigtable.
import { toBytes } from './rows/row.ts';
import { rowsOf, type Table } from './rows/table.ts';
import type { SampleRowKeysResponse } from './wire/messages.ts';

const ESTIMATED_BYTES_PER_ROW = 256;

export function sampleRowKeys(table: Table, cluster: string): SampleRowKeysResponse[] {
  const bytes = rowsOf(table, cluster).size * ESTIMATED_BYTES_PER_ROW;
  // The empty key marks the end of the table and comes last.
  const ends = [...table.splits, ''];
  return ends.map((end, index) => ({
    rowKey: toBytes(end),
    offsetBytes: Math.round((bytes * (index + 1)) / ends.length),
  }));
}
