// Reads during a load: uncached single reads at a steady rate, with and without `earshot ingest` at full speed, in
// pairs. Also the rate of the load with and without reads.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { formatCount } from '../ops/cli/format.ts';
import { pause, systemClock } from '../shared/runtime/clock.ts';
import { type PhaseReport, runOpenLoad } from './load/open-load.ts';
import { makeListsRead, mintBenchToken, startOriginProcess } from './rigs/origin-process.ts';
import { startBigtable } from './rigs/processes.ts';
import { withCleanup } from './support/cleanup.ts';
import { writeListsFile } from './support/lists-file.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';
import { fillTable, makeKey, makeListener, tableAddress } from './support/table-data.ts';

const USERS = 20_000;
const PAIRS = 5;
const PER_SECOND = 100;
const PHASE_MS = 10_000;
/** Time for the command to start; nothing is counted before it. */
const FROM_MS = 2_000;
const RATE_MS = 6_000;
const LOADED_LISTS = 1_000_000;

export const benchLoading = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
    const origin = await startOriginProcess(cleanup, { ...bigtable.env, EARSHOT_LIST_CACHE_BYTES: '0' });
    const token = await mintBenchToken();
    const requests = Array.from({ length: USERS }, (_, i) =>
      makeListsRead(token, [makeKey(makeListener((i * 7919) % USERS))]),
    );
    const file = await writeListsFile(LOADED_LISTS);
    const serve = async (): Promise<PhaseReport> => {
      const phases = [{ perSecond: PER_SECOND, durationMs: PHASE_MS, fromMs: FROM_MS }];
      const [report] = await runOpenLoad({ port: origin.port, requests, maxConnections: 64, phases });
      if (report === undefined) throw new Error('expected a report');
      return report;
    };
    const load = async <T>(during: () => Promise<T>): Promise<T> => {
      const args = [
        join(import.meta.dirname, '../ops/earshot.mjs'),
        'ingest',
        file,
        '--surface',
        'loaded',
        '--variant',
        'control',
      ];
      const child = execFile(process.execPath, args, { env: { ...process.env, ...bigtable.env } });
      const exited = once(child, 'exit');
      try {
        return await during();
      } finally {
        child.kill('SIGKILL');
        await exited;
      }
    };

    /** Lists loaded per second after the command has started. */
    const measureRate = async (): Promise<number> => {
      await pause(systemClock, FROM_MS);
      const before = await bigtable.rowsWritten();
      await pause(systemClock, RATE_MS);
      return ((await bigtable.rowsWritten()) - before) / (RATE_MS / 1000);
    };

    await serve();
    const quiet: PhaseReport[] = [];
    const loading: PhaseReport[] = [];
    const rates: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      quiet.push(await serve());
      const [report, rate] = await load(() => Promise.all([serve(), measureRate()]));
      loading.push(report);
      rates.push(rate);
    }
    const rateAlone = await load(measureRate);
    const middle = (reports: readonly PhaseReport[], of: (report: PhaseReport) => number): number =>
      median(reports.map(of));
    const figures = {
      loadingP99VsQuiet: round(median(loading.map(({ p99Ms }, i) => p99Ms / (quiet[i]?.p99Ms ?? 0))), 2),
      quietP50Ms: round(
        middle(quiet, ({ p50Ms }) => p50Ms),
        2,
      ),
      quietP99Ms: round(
        middle(quiet, ({ p99Ms }) => p99Ms),
        1,
      ),
      loadingP50Ms: round(
        middle(loading, ({ p50Ms }) => p50Ms),
        2,
      ),
      loadingP99Ms: round(
        middle(loading, ({ p99Ms }) => p99Ms),
        1,
      ),
      listsPerSecond: Math.round(median(rates)),
      listsPerSecondAlone: Math.round(rateAlone),
      failed: loading.reduce((sum, { failed, shed }) => sum + failed + shed, 0),
    };
    const report = [
      `${PER_SECOND} single reads/s that no memory has: p50 ${figures.quietP50Ms} ms, p99 ${figures.quietP99Ms} ms`,
      `  with earshot ingest at full speed: p50 ${figures.loadingP50Ms} ms, p99 ${figures.loadingP99Ms} ms, ${figures.loadingP99VsQuiet} times; ${figures.failed} failed`,
      `  ${formatCount(figures.listsPerSecond)} lists/s are loaded beside the reads, ${formatCount(figures.listsPerSecondAlone)} alone: loads have low priority and rest while reads arrive`,
      `  p99 of the pairs: ${quiet.map(({ p99Ms }, i) => `${round(p99Ms, 1)} and ${round(loading[i]?.p99Ms ?? 0, 1)} ms`).join(', ')}`,
      `  (medians of ${PAIRS} pairs; Bigtable, origin, loader and load generator share ${availableParallelism()} cores)`,
    ];
    return { report: report.join('\n'), figures };
  });

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
