// The place of lists that are not where a release has them: under another moment, in another family or qualifier. It
// looks at a few rows of each shard.
import type { Cell } from '../../../origin/bigtable/chunk-merger.ts';
import type { RowFilter } from '../../../origin/bigtable/read-rows.ts';
import { FAMILIES, makeListQualifier, TABLES } from '../../../shared/domain/keys.ts';
import type { Release } from '../../../shared/domain/release.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { listReleases } from '../../bigtable/release-record.ts';
import { scanPages } from '../../bigtable/scan-pages.ts';
import { describeColumns, describeMoments } from './describe-elsewhere.ts';

const ROWS_PER_SHARD = 4;
const SHARDS_AT_ONCE = 4;

/** One part of a message. Throws an EarshotError. */
export async function lookElsewhere(
  control: ControlTable,
  release: Release,
  ranges: readonly Parameters<typeof scanPages>[1]['range'][],
): Promise<string> {
  const qualifier = Buffer.from(makeListQualifier(release.surface, release.variant));
  const column = { familyName: FAMILIES.lists, startQualifierClosed: qualifier, endQualifierClosed: qualifier };
  const inColumn = await sampleCells(control, ranges, { columnRangeFilter: column });
  const releases = new Set((await listReleases(control, release)).map(({ generation }) => generation));
  const micros = inColumn.map(({ timestampMicros }) => timestampMicros);
  const unknown = new Set(micros.filter((each) => !releases.has(each / 1000)));
  if (unknown.size > 0) return describeMoments([...unknown], release.generation, control.retries.clock.now());
  const cells = await sampleCells(control, ranges, { cellsPerColumnLimitFilter: 1 });
  return describeColumns(
    new Set(cells.map(({ family, qualifier: own }) => `${family}:${own.toString('latin1')}`)),
    release,
  );
}

/** Cells of the first rows of each range, without their values. */
async function sampleCells(
  control: ControlTable,
  ranges: readonly Parameters<typeof scanPages>[1]['range'][],
  filter: RowFilter,
): Promise<Cell[]> {
  const cells: Cell[] = [];
  const left = [...ranges];
  async function work(): Promise<void> {
    for (let range = left.shift(); range !== undefined; range = left.shift()) {
      const scan = { table: TABLES.recommendations, range, rowsPerPage: ROWS_PER_SHARD };
      const stripped = { chain: { filters: [filter, { stripValueTransformer: true }] } };
      for await (const page of scanPages(control, { ...scan, filter: stripped })) {
        for (const row of page) cells.push(...row.cells);
        break;
      }
    }
  }
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work));
  return cells;
}
