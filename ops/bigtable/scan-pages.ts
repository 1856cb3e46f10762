// The rows of a range of keys, page by page through the profile of loads, so that one page is in memory.
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { Row } from '../../origin/bigtable/chunk-merger.ts';
import { type RowFilter, readRows } from '../../origin/bigtable/read-rows.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

/** Row keys from `from` to before `to`. An empty `from` is the begin of the table, no `to` its end. */
export interface KeyRange {
  readonly from: string;
  readonly to: string | undefined;
}

export interface PageScan {
  readonly table: string;
  readonly range: KeyRange;
  readonly filter: RowFilter;
  /** Maximum number of rows of a page. */
  readonly rowsPerPage: number;
}

/** A page of a sparse column takes as long as the range that it is in. */
const PAGE_TIMEOUT_MS = 60_000;

/** Throws an EarshotError. */
export async function* scanPages(
  { bigtable, retries }: Pick<ControlTable, 'bigtable' | 'retries'>,
  { table, range, filter, rowsPerPage }: PageScan,
): AsyncGenerator<readonly Row[]> {
  const end = range.to === undefined ? {} : { endKeyOpen: Buffer.from(range.to) };
  let start: object = range.from === '' ? {} : { startKeyClosed: Buffer.from(range.from) };
  for (;;) {
    const call = { table, appProfile: APP_PROFILES.ingest, rows: { rowRanges: [{ ...start, ...end }] }, filter };
    const page = await withRetries(retries, () =>
      readRows(bigtable, { ...call, rowsLimit: rowsPerPage, timeoutMs: PAGE_TIMEOUT_MS }),
    );
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < rowsPerPage) return;
    start = { startKeyOpen: last.key };
  }
}
