// Reads every list of a generation, a few ranges of row keys at a time and page by page. It counts them by shard, sums
// them up as a load does, and checks every row key and a sample of the lists.
import type { Row } from '../../../origin/bigtable/chunk-merger.ts';
import type { RowFilter } from '../../../origin/bigtable/read-rows.ts';
import { FAMILIES, makeListQualifier, TABLES } from '../../../shared/domain/keys.ts';
import type { Release } from '../../../shared/domain/release.ts';
import { murmur3 } from '../../../shared/runtime/hash.ts';
import { checksumOf } from '../../bigtable/checksum.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import type { ReleaseSummary } from '../../bigtable/release-record.ts';
import { scanPages } from '../../bigtable/scan-pages.ts';
import { createSummary } from '../../ingest/summary.ts';
import { rangeOf, SHARDS } from './key-shards.ts';
import { type Fault, userOfRowKey, whyNotList } from './list-fault.ts';

export interface ReadOptions {
  /** Number of lists that the release should have. The sample is this share of them. */
  readonly expected: number;
  /** Lists of the sample, about: the hash of a row key decides. */
  readonly sample: number;
  readonly keepOut: {
    has(id: string): boolean;
    refresh(): Promise<unknown>;
  };
  /** Throws an Error if the reading must not go on. Called for each page. */
  readonly requireHeld: () => void;
  /** Called after each shard. */
  readonly onShard?: (doneShards: number, lists: number) => void;
}

export interface ReadLists {
  /** Lists, those of users that are kept out included. */
  readonly found: number;
  readonly counts: readonly number[];
  /** Without the lists of users that are kept out. */
  readonly summary: ReleaseSummary;
  /** Row keys of users that are kept out. */
  readonly keptOut: readonly string[];
  readonly sampled: number;
  readonly faultCount: number;
  /** The first MAX_FAULTS by row key. */
  readonly faults: readonly Fault[];
}

export const MAX_FAULTS = 10;
const RANGES_AT_ONCE = 4;
/** A list has up to 15 kB, so 4 pages have up to 30 MB. */
const ROWS_PER_PAGE = 500;

/** Throws an EarshotError, or what `requireHeld` and `keepOut` throw. */
export async function readLists(control: ControlTable, release: Release, options: ReadOptions): Promise<ReadLists> {
  const tally = createTally(options);
  const filter = cellsOf(release);
  let next = 0;
  let done = 0;
  async function work(): Promise<void> {
    while (next < SHARDS) {
      const shard = next++;
      const scan = { table: TABLES.recommendations, range: rangeOf(shard), filter, rowsPerPage: ROWS_PER_PAGE };
      for await (const page of scanPages(control, scan)) {
        options.requireHeld();
        // After the read: a user whose row an erasure had deleted before the engine wrote it is on the list by now.
        if (page.length > 0) await options.keepOut.refresh();
        for (const row of page) tally.add(shard, row);
      }
      options.onShard?.(++done, tally.found());
    }
  }
  await Promise.all(Array.from({ length: RANGES_AT_ONCE }, work));
  return tally.get();
}

/** The cell of exactly the generation. */
function cellsOf({ surface, variant, generation }: Release): RowFilter {
  const column = Buffer.from(makeListQualifier(surface, variant));
  const startTimestampMicros = generation * 1000;
  return {
    chain: {
      filters: [
        { columnRangeFilter: { familyName: FAMILIES.lists, startQualifierClosed: column, endQualifierClosed: column } },
        { timestampRangeFilter: { startTimestampMicros, endTimestampMicros: startTimestampMicros + 1000 } },
      ],
    },
  };
}

/** Apart from the hash of the row key, which orders the table. */
const SAMPLE_SEED = 0x2545f491;

function createTally({ expected, sample, keepOut }: ReadOptions) {
  const counts = Array.from({ length: SHARDS }, () => 0);
  const summary = createSummary();
  const keptOut: string[] = [];
  const faults: Fault[] = [];
  const sampledBelow = (sample / expected) * 2 ** 32;
  let found = 0;
  let sampled = 0;
  let faultCount = 0;

  function addFault(fault: Fault): void {
    faultCount++;
    faults.push(fault);
    faults.sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1)).splice(MAX_FAULTS);
  }

  function check(rowKey: string, value: Buffer): void {
    const owner = userOfRowKey(rowKey);
    const isSampled = murmur3(rowKey, SAMPLE_SEED) < sampledBelow;
    if (isSampled) sampled++;
    const reason = 'reason' in owner ? owner.reason : isSampled ? whyNotList(owner.user, value) : undefined;
    if (reason !== undefined) addFault({ rowKey, reason });
  }

  return {
    found: () => found,
    add: (shard: number, { key, cells: [cell] }: Row): void => {
      if (cell === undefined) return;
      const rowKey = key.toString('latin1');
      found++;
      counts[shard] = (counts[shard] ?? 0) + 1;
      check(rowKey, cell.value);
      if (keepOut.has(rowKey.slice(rowKey.indexOf('#') + 1))) keptOut.push(rowKey);
      else summary.add(cell.value, checksumOf(rowKey, cell.value));
    },
    get: (): ReadLists => ({ found, counts, summary: summary.get(0), keptOut, sampled, faultCount, faults }),
  };
}
