// The gate of the items: a loaded release against the live one, by the summaries of their loads, and by the items of
// the live lists.
import { APP_PROFILES } from '../../../origin/bigtable/app-profiles.ts';
import { readRows, rowsOf } from '../../../origin/bigtable/read-rows.ts';
import { idsOf } from '../../../origin/items/expand-list.ts';
import { FAMILIES, makeItemRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { ITEMS, nameRelease, type Release } from '../../../shared/domain/release.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { type ReleaseSummary, readRecord } from '../../bigtable/release-record.ts';
import { withRetries } from '../../bigtable/retry.ts';
import { type CheckRow, factorBetween, shareOf } from '../checks/check.ts';
import type { checkRelease, GateTable } from './check-release.ts';
import { judge } from './run-checks.ts';

const MIN_SHARE = 0.9;
const MAX_FACTOR = 2;
const MAX_MISSING = 0.01;
const MAX_LOOKED_UP = 5_000;
const KEYS_PER_CALL = 100;
const FIRST_ITEMS = 10;
/** Row keys of about every 64th user. */
const SAMPLED = { rowRanges: [{ startKeyClosed: Buffer.from('0000'), endKeyOpen: Buffer.from('0400') }] };

/** As checkRelease. */
export const checkItems: typeof checkRelease = async (control, release, { manifest, regions, accepted = [], why }) => {
  const current = manifest.items?.current;
  const live = current === undefined || current === release.generation ? undefined : { ...ITEMS, generation: current };
  const [own, before] = await Promise.all([readSummary(control, release), live && readSummary(control, live)]);
  const listed = await readListed(control);
  const [missing, missingLive] = await Promise.all([
    countMissing(control, listed, release.generation),
    live === undefined ? undefined : countMissing(control, listed, live.generation),
  ]);
  const rows: CheckRow[] = [
    row(
      'items',
      own?.lists,
      before?.lists,
      MIN_SHARE,
      `at least ${MIN_SHARE} of live`,
      (a, b = 0) => a > 0 && a >= b * MIN_SHARE,
    ),
    row(
      'item-bytes',
      own?.bytes.p50,
      before?.bytes.p50,
      MAX_FACTOR,
      `within ${MAX_FACTOR} times of live`,
      (a, b = a) => factorBetween(a, b) <= MAX_FACTOR,
    ),
    row(
      'missing-items',
      shareOf(missing, listed.length),
      missingLive === undefined ? undefined : shareOf(missingLive, listed.length),
      MAX_MISSING,
      `at most ${MAX_MISSING} more than live`,
      (a, b = 0) => a <= b + MAX_MISSING,
    ),
  ];
  const described: Omit<GateTable, keyof ReturnType<typeof judge>> = {
    release: nameRelease(release),
    live: live && nameRelease(live),
    sampled: { users: listed.length, regions },
    notes: [`${listed.length} items of live lists were looked up`],
  };
  return { ...described, ...judge(rows, { accepted, why }) };
};

function row(
  check: string,
  own: number | undefined,
  live: number | undefined,
  bound: number,
  rule: string,
  passes: (own: number, live: number | undefined) => boolean,
): CheckRow {
  const isGood = own === undefined || passes(own, live);
  return { check, live, new: own, bound, rule, verdict: isGood ? (live === undefined ? 'first' : 'pass') : 'refused' };
}

const readSummary = async (control: ControlTable, release: Release): Promise<ReleaseSummary | undefined> =>
  (await readRecord(control, release))?.record.summary;

/** The first items of the newest lists of some users. Throws an EarshotError. */
async function readListed({ bigtable, retries }: ControlTable): Promise<readonly string[]> {
  const filter = { chain: { filters: [{ familyNameRegexFilter: FAMILIES.lists }, { cellsPerColumnLimitFilter: 1 }] } };
  const call = { table: TABLES.recommendations, appProfile: APP_PROFILES.ingest, rows: SAMPLED, filter };
  const rows = await withRetries(retries, (timeoutMs) => readRows(bigtable, { ...call, timeoutMs }));
  const ids = new Set<string>();
  for (const { cells } of rows) {
    for (const { value } of cells) for (const id of idsOf(value).slice(0, FIRST_ITEMS)) ids.add(id);
  }
  return [...ids].slice(0, MAX_LOOKED_UP);
}

/** Items without metadata of the release, or of one before it. */
async function countMissing(
  { bigtable, retries }: ControlTable,
  ids: readonly string[],
  generation: number,
): Promise<number> {
  const filter = {
    chain: {
      filters: [
        { timestampRangeFilter: { endTimestampMicros: (generation + 1) * 1000 } },
        { cellsPerColumnLimitFilter: 1 },
        { stripValueTransformer: true },
      ],
    },
  };
  let found = 0;
  for (let from = 0; from < ids.length; from += KEYS_PER_CALL) {
    const rows = rowsOf(ids.slice(from, from + KEYS_PER_CALL).map(makeItemRowKey));
    const call = { table: TABLES.items, appProfile: APP_PROFILES.ingest, rows, filter };
    found += (await withRetries(retries, (timeoutMs) => readRows(bigtable, { ...call, timeoutMs }))).length;
  }
  return ids.length - found;
}
