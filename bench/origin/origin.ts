// The origin benchmark: reads of Google's emulator and of the embedded Bigtable without a cache, beside the client's
// simplest read and beside bare gRPC; lists from memory beside a bare route; hedging; and the hit ratio of the memory.
import { join } from 'node:path';
import { formatCount } from '../../ops/cli/format.ts';
import { findGoogleEmulator, startGoogleEmulator } from '../rigs/google-emulator.ts';
import { lastJson, run, startBigtable } from '../rigs/processes.ts';
import { withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { fillTable, tableAddress } from '../support/table-data.ts';
import { COLD_USERS, type ColdReport, measureCold } from './cold.ts';
import type { HedgingReport } from './hedging.ts';
import { measureHits, measurePoints, PROCESSES, ROUNDS } from './hits.ts';
import { CACHED_SHARE, EXPONENT, measureZipf, USERS } from './zipf.ts';

const DELAY = { latencyMs: 1_000, latencyShare: 0.01 };

export const benchOrigin = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    const { BIGTABLE_EMULATOR_HOST: embedded = '' } = bigtable.env;
    const emulatorPath = await findGoogleEmulator();
    const emulator = emulatorPath === undefined ? undefined : await startGoogleEmulator(emulatorPath);
    if (emulator !== undefined) cleanup.add(emulator.stop);
    const google = emulator?.endpoint;
    for (const host of google === undefined ? [embedded] : [embedded, google])
      await fillTable(tableAddress(host), COLD_USERS);

    const coldEmbedded = await measureCold(cleanup, embedded);
    const coldGoogle = google === undefined ? undefined : await measureCold(cleanup, google);
    const hits = await measureHits(cleanup, bigtable.env);
    const points = await measurePoints(cleanup, bigtable.env);
    const unhedged = await measureHedging(bigtable.controlUrl, embedded, 'unhedged');
    const hedged = await measureHedging(bigtable.controlUrl, embedded, 'hedged');
    const saved = await measureZipf();

    const cold = coldGoogle ?? coldEmbedded;
    const figures = {
      coldReadSpeedup: round(cold.speedup, 1),
      coldReadVsBareGrpc: round(cold.vsBare, 2),
      coldReadVsBareGrpcFourCalls: round(cold.vsBareFour, 2),
      coldReadP99Ms: round(cold.tableP99Ms, 1),
      naiveReadP50Ms: round(cold.naiveP50Ms, 1),
      coldReadSpeedupEmbedded: round(coldEmbedded.speedup, 1),
      coldReadVsBareGrpcEmbedded: round(coldEmbedded.vsBare, 2),
      memoryHitVsBare: round(hits.hitVsBare, 2),
      memoryHitVsBareReading: round(hits.hitVsBareReading, 2),
      memoryHitCpuUs: round(hits.hitCpuUs, 1),
      dataPointsPerSecond: round(points.dataPointsPerSecond, 0),
      generatorCpuShare: round(points.generatorCpuShare, 2),
      hedgeP999Gain: round(unhedged.p999Ms / hedged.p999Ms, 1),
      hedgeExtraReadsPercent: round(100 * (hedged.keysPerRead - unhedged.keysPerRead), 2),
      zipfReadsSavedPercent: round(100 * saved, 1),
    };
    const describeCold = (name: string, report: ColdReport): string[] => [
      `64 single reads at once of ${name}, no memory: ${count(report.tablePerSecond)} rows/s in calls of ${round(report.keysPerCall, 0)} keys, p99 ${round(report.tableP99Ms, 1)} ms`,
      `  row.get() a read: ${count(report.naivePerSecond)} rows/s, p50 ${round(report.naiveP50Ms, 1)} ms: ${round(report.speedup, 1)} times as many`,
      `  bare gRPC, 100 keys a call: ${count(report.barePerSecond)} rows/s one call at a time, of which it is ${round(report.vsBare, 2)}; of four at a time ${round(report.vsBareFour, 2)}`,
    ];
    const report = [
      ...(coldGoogle === undefined
        ? ["(Google's emulator is not on this machine)"]
        : describeCold("Google's emulator", coldGoogle)),
      ...describeCold('the embedded Bigtable', coldEmbedded),
      `a list from memory: ${figures.memoryHitCpuUs} us of CPU; a bare Hono route takes ${figures.memoryHitVsBare} of it (${round(hits.bareCpuUs, 1)} us), one that reads its request ${figures.memoryHitVsBareReading} (${round(hits.bareReadingCpuUs, 1)} us)`,
      `batches of 100 lists of 50 items from memory, ${PROCESSES} processes: ${count(points.dataPointsPerSecond)} data points/s, ${round(points.megabytesPerSecond, 0)} MB/s, p50 ${round(points.p50Ms, 1)} ms, p99 ${round(points.p99Ms, 1)} ms`,
      `  the load generator took ${round(100 * points.generatorCpuShare, 0)} % of one core of the same machine (medians of ${ROUNDS} rounds)`,
      `1 % of calls delayed by 1 s: p99.9 ${round(unhedged.p999Ms, 1)} ms, hedged ${round(hedged.p999Ms, 1)} ms (${figures.hedgeP999Gain} times lower) for ${figures.hedgeExtraReadsPercent} % more reads`,
      `  ${hedged.hedges} hedges, ${hedged.won} won, ${hedged.denied} first denied; p50 ${round(unhedged.p50Ms, 2)} and ${round(hedged.p50Ms, 2)} ms, p99 ${round(unhedged.p99Ms, 1)} and ${round(hedged.p99Ms, 1)} ms`,
      `Zipf(${EXPONENT}) over ${formatCount(USERS)} users, memory for ${100 * CACHED_SHARE} % of them: ${figures.zipfReadsSavedPercent} % of reads saved`,
    ];
    return { report: report.join('\n'), figures };
  });

const script = (name: string): string => join(import.meta.dirname, name);

async function measureHedging(controlUrl: string, host: string, way: 'hedged' | 'unhedged'): Promise<HedgingReport> {
  await setFault(controlUrl, DELAY);
  try {
    return lastJson(await run(process.execPath, [script('hedging.ts'), host, way], {}));
  } finally {
    await setFault(controlUrl, {});
  }
}

/** The share also of the cluster `asia`, the target of `serve-any`: hedges are delayed as often as first calls. */
async function setFault(controlUrl: string, fault: object): Promise<void> {
  const response = await fetch(`${controlUrl}/clusters/asia/fault`, { method: 'PUT', body: JSON.stringify(fault) });
  if (!response.ok) throw new Error(`expected the fault to be taken, got ${await response.text()}`);
}

const count = (value: number): string => formatCount(Math.round(value));
const round = (value: number, digits: number): number => Number(value.toFixed(digits));
