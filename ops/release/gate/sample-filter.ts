// The filter of the sample: the cell of exactly the new generation, and the list that the live release serves.
import type { RowFilter } from '../../../origin/bigtable/read-rows.ts';
import { FAMILIES, makeListQualifier } from '../../../shared/domain/keys.ts';
import { isReadable, type Lineage } from '../../../shared/domain/lineage.ts';
import type { Release } from '../../../shared/domain/release.ts';

export interface SampledReleases {
  readonly release: Release;
  /** Generation of the live release in ms since the epoch. */
  readonly live: number | undefined;
  readonly lineage: Lineage | undefined;
}

/** The cells of one column. A cell may come twice: as that of the new generation, and as the live one. */
export function sampleFilter({ release, live, lineage }: SampledReleases): RowFilter {
  const qualifier = Buffer.from(makeListQualifier(release.surface, release.variant));
  const column = {
    columnRangeFilter: {
      familyName: FAMILIES.lists,
      startQualifierClosed: qualifier,
      endQualifierClosed: qualifier,
    },
  };
  const parts = [cellOf(release.generation), ...(live === undefined ? [] : [newestReadable(live, lineage)])];
  return { chain: { filters: [column, anyOf(parts)] } };
}

/** The newest readable cell at or before `live`, as origins choose it. */
function newestReadable(live: number, lineage: Lineage | undefined): RowFilter {
  const newest = { cellsPerColumnLimitFilter: 1 };
  if (lineage === undefined)
    return { chain: { filters: [{ timestampRangeFilter: { endTimestampMicros: (live + 1) * 1000 } }, newest] } };
  const generations = new Set([live, ...lineage].filter((each) => each <= live && isReadable(lineage, live, each)));
  return { chain: { filters: [anyOf([...generations].map(cellOf)), newest] } };
}

const cellOf = (generation: number): RowFilter => ({
  timestampRangeFilter: { startTimestampMicros: generation * 1000, endTimestampMicros: (generation + 1) * 1000 },
});

const anyOf = (filters: readonly RowFilter[]): RowFilter =>
  filters.length === 1 && filters[0] !== undefined ? filters[0] : { interleave: { filters: [...filters] } };
