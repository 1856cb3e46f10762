// The cost of serving published lists only: cold reads of 100 lists at once of the embedded Bigtable, by the rule of
// before, by lineage, and by lineage where every tenth user has a cell of a release that was left.

import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { createRecommendationTable, type RecommendationTable } from '../../origin/bigtable/recommendation-table.ts';
import { createTableLoad } from '../../origin/lists/load-lists.ts';
import { FULL_WEIGHT, type Manifest } from '../../shared/domain/manifest.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createCounters } from '../../shared/runtime/counters.ts';
import { startBigtable } from '../rigs/processes.ts';
import { withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { median } from '../support/statistics.ts';
import {
  fillGeneration,
  fillTable,
  GENERATION,
  makeKey,
  makeListener,
  SURFACE,
  tableAddress,
  VARIANT,
} from '../support/table-data.ts';

const USERS = 20_000;
/** Each round reads other users, so that no page of the cluster is warmer than another. */
const ROUNDS = 60;
const KEYS = 100;
const TIMEOUT_MS = 10_000;
const LEFT = GENERATION + 1_000;
const LIVE = GENERATION + 2_000;

type Way = 'before' | 'lineage' | 'tenth';

export const benchLineage = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    const address = tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? '');
    await fillTable(address, USERS);
    const connection = connectBigtable(address);
    cleanup.add(() => connection.close());
    // The first tenth has a list of a release that was left.
    await fillGeneration(connection, LEFT, USERS / 10);
    const table = createRecommendationTable({ address, appProfile: 'serve-europe', onError: () => undefined });
    cleanup.add(() => table.close());
    await table.warm();
    const reads: Readonly<Record<Way, () => Promise<number>>> = {
      before: () => measure(table, undefined, false),
      lineage: () => measure(table, [LIVE, GENERATION], false),
      tenth: () => measure(table, [LIVE, GENERATION], true),
    };
    const took: Record<Way, number[]> = { before: [], lineage: [], tenth: [] };
    for (let round = 0; round < ROUNDS; round++)
      for (const way of ['before', 'lineage', 'tenth'] as const) took[way].push(await reads[way]());
    const ratio = (way: Way): number =>
      Number(median(took[way].map((ms, i) => ms / (took.before[i] ?? ms))).toFixed(2));
    const figures = { lineageVsBefore: ratio('lineage'), tenthPassedOverVsBefore: ratio('tenth') };
    const report = [
      `a cold read of ${KEYS} lists takes ${figures.lineageVsBefore} of the time that it took without a lineage`,
      `with a cell to pass over for every tenth user it takes ${figures.tenthPassedOverVsBefore}`,
    ];
    return { report: report.join('\n'), figures };
  });

/** Milliseconds of one read of KEYS users, a tenth of whom have a cell to pass over. */
async function measure(table: RecommendationTable, lineage: number[] | undefined, hasLeft: boolean): Promise<number> {
  const load = createTableLoad({
    table,
    manifest: () => manifestWith(lineage),
    clock: systemClock,
    counters: createCounters(),
  });
  const withLeft = hasLeft ? KEYS / 10 : 0;
  const pick = (from: number, count: number): number => from + Math.floor(Math.random() * count);
  const queries = Array.from({ length: KEYS }, (_, i) => ({
    ...makeKey(makeListener(i < withLeft ? pick(0, USERS / 10) : pick(USERS / 10, (USERS * 9) / 10))),
    generation: LIVE,
  }));
  const startedAtMs = performance.now();
  const lists = await load(queries, TIMEOUT_MS);
  const tookMs = performance.now() - startedAtMs;
  const found = lists.filter(
    (list) => 'value' in list && list.value.kind === 'list' && list.value.generation === GENERATION,
  );
  if (found.length !== KEYS) throw new Error(`expected ${KEYS} lists of the published release, got ${found.length}`);
  return tookMs;
}

const manifestWith = (lineage: number[] | undefined): Manifest => ({
  version: 1,
  surfaces: {
    [SURFACE]: {
      salt: 'home-1',
      listTtlSeconds: 60,
      variants: [{ name: VARIANT, weight: FULL_WEIGHT, current: LIVE, ...(lineage === undefined ? {} : { lineage }) }],
    },
  },
  erasures: [],
});
