// Regions that fail under 200 reads per second (rigs/regions-rig.ts): failed reads, latency, ejection and readmission.
// Every read is of an uncached list, except when all regions are down.
import { waitUntil } from '../dev/processes/wait.ts';
import type { RegionFault } from '../ops/fault/region-fault.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import type { CounterName } from '../shared/runtime/counters.ts';
import { DEADLINE_HEADER } from '../shared/wire/deadline.ts';
import type { Phase, PhaseReport } from './load/open-load.ts';
import { recordFaultsOfReads } from './recordings/faults-of-reads.ts';
import { createRegionsRig, eachOnce, REGION_NAMES, type RegionsRig } from './rigs/regions-rig.ts';
import { type Cleanup, withCleanup } from './support/cleanup.ts';
import type { BenchResult } from './support/result.ts';
import { makeListener } from './support/table-data.ts';

const PER_SECOND = 200;
/** Time until the p99 has to recover; the measurement starts after it. */
const SETTLING_MS = 2_000;
const MEASURED_MS = 4_000;
const ALL_FAIL_MS = 60_000;
const ALL_GONE_MS = 60_000;
const FLAPPING_MS = 300_000;
const FLAP_MS = 2_000;
const READMITTING_MS = 12_000;
/** Less than the clusters' latency in this part, and more than the round trip. */
const HURRIED_MS = 200;
/**
 * At a higher rate, seven processes on two cores delay one read in a thousand by up to 100 ms, whatever the regions do.
 */
const HEDGED_PER_SECOND = 50;
const HEDGED_MS = 60_000;
const SEEN = 400;

const FAULTS: readonly (readonly [name: string, fault: RegionFault])[] = [
  ['killed', { down: true }],
  ['black hole', { blackHole: true }],
  ['30 % errors', { errorShare: 0.3 }],
  ['+500 ms', { latencyMs: 500 }],
  ['slow drip', { dripBytesPerSecond: 200 }],
  ['resets', { reset: true }],
];

interface Part {
  readonly lines: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

export const benchRegions = async (): Promise<BenchResult> => {
  const directory = process.env.EARSHOT_BENCH_RECORD;
  if (directory !== undefined) {
    await withCleanup((cleanup) => recordFaultsOfReads(cleanup, directory));
    return { report: `recorded in ${directory}`, figures: {} };
  }
  const far = await withCleanup(benchFarRegions);
  const near = await withCleanup(benchNearRegions);
  return { report: [...far.lines, ...near.lines].join('\n'), figures: { ...far.figures, ...near.figures } };
};

const lasting = (durationMs: number): Phase => ({ perSecond: PER_SECOND, durationMs });

/** Regions at their distances from Tokyo, without caches. */
async function benchFarRegions(cleanup: Cleanup): Promise<Part> {
  const bindings = { ISOLATE_CACHE_BYTES: '0', REGION_CACHE_BYTES: '0', POPULAR_WARM_SECONDS: '0' };
  const rig = await createRegionsRig(cleanup, { isFar: true, bindings });
  const { setFault, setClusterFault, status } = rig;
  const cold = { user: eachOnce(), fallback: 'none' as const };
  const load = (...durationsMs: number[]): Promise<PhaseReport[]> => rig.load(cold, ...durationsMs.map(lasting));
  const lines: string[] = [];
  let failed = 0;
  const countFailed = (reports: readonly (PhaseReport | undefined)[]): number => {
    const here = failedOf(reports);
    failed += here;
    return here;
  };
  /** Waits for readmission, under load because probes are real reads. Returns the duration in milliseconds. */
  async function readmit(...names: readonly string[]): Promise<number> {
    const loading = load(READMITTING_MS);
    const startedAtMs = performance.now();
    await waitUntil('the region to be healthy', () => isHealthy(rig, names), systemClock);
    const tookMs = performance.now() - startedAtMs;
    countFailed(await loading);
    return tookMs;
  }

  await load(MEASURED_MS);
  const [healthy] = await load(MEASURED_MS);
  await setFault({ errorShare: 1 }, 'asia');
  const [, toNext] = await load(SETTLING_MS, MEASURED_MS);
  if (healthy === undefined || toNext === undefined) throw new Error('expected a report a phase');
  await setFault({}, 'asia');
  await readmit('asia');
  lines.push(
    `${PER_SECOND} cold reads/s from Tokyo: p50 ${round(healthy.p50Ms)} ms, p99 ${round(healthy.p99Ms)} ms; to the next region p50 ${round(toNext.p50Ms)} ms, p99 ${round(toNext.p99Ms)} ms`,
  );

  let worstRatio = 0;
  let slowestReadmissionMs = 0;
  for (const [name, fault] of FAULTS) {
    const before = (await status()).counters;
    await setFault(fault, 'asia');
    const reports = await load(SETTLING_MS, MEASURED_MS);
    const { regions, counters } = await status();
    const state = regions.find((region) => region.name === 'asia')?.state;
    const failedHere = countFailed(reports);
    await setFault({}, 'asia');
    const readmittedMs = await readmit('asia');
    const ratio = (reports[1]?.p99Ms ?? 0) / toNext.p99Ms;
    worstRatio = Math.max(worstRatio, ratio);
    slowestReadmissionMs = Math.max(slowestReadmissionMs, readmittedMs);
    const more = (counter: CounterName): number => (counters[counter] ?? 0) - (before[counter] ?? 0);
    lines.push(
      `  ${name.padEnd(12)} ${failedHere} failed; first ${SETTLING_MS / 1000} s p99 ${round(reports[0]?.p99Ms)} ms, then ${round(reports[1]?.p99Ms)} ms (${round(ratio, 2)} times); ${state}, back after ${round(readmittedMs)} ms; ${more('edge_hedges_total')} hedges, ${more('edge_failovers_total')} failovers, ${more('edge_ejections_total')} ejections`,
    );
  }

  await setFault({ down: true }, 'asia', 'us');
  const [two] = await load(8_000);
  lines.push(`two of three down: ${countFailed([two])} failed, p99 ${round(two?.p99Ms)} ms`);
  await setFault({}, 'asia', 'us');
  await readmit('asia', 'us');

  const failedFlapping = countFailed(await flap(rig, load(FLAPPING_MS)));
  lines.push(`up and down every ${FLAP_MS / 1000} s for ${FLAPPING_MS / 1000} s: ${failedFlapping} failed`);
  await setFault({}, 'asia');
  await readmit('asia');

  await setClusterFault('asia', { down: true });
  const [cluster] = await load(8_000);
  const isServing = await isHealthy(rig, ['asia']);
  lines.push(
    `its Bigtable cluster down: ${countFailed([cluster])} failed, p99 ${round(cluster?.p99Ms)} ms, the region ${isServing ? 'still serves' : 'was ejected'}`,
  );
  await setClusterFault('asia', {});

  const { hops, late, line } = await hurry(rig, cold);
  lines.push(line);
  await load(READMITTING_MS);

  const before = (await status()).counters;
  await setFault({ errorShare: 1 }, ...REGION_NAMES);
  const [none] = await load(ALL_FAIL_MS);
  const { counters, budget } = await status();
  const attempts = (counters.edge_attempts_total ?? 0) - (before.edge_attempts_total ?? 0);
  const reads = (none?.ok ?? 0) + failedOf([none]);
  const allowed = 1.1 * reads + budget.reserve;
  lines.push(
    `everything fails for ${ALL_FAIL_MS / 1000} s: ${attempts} attempts for ${reads} reads, at most ${Math.round(allowed)} are allowed`,
  );
  const figures = {
    failed,
    worstP99VsNextRegion: round(worstRatio, 2),
    slowestReadmissionMs: round(slowestReadmissionMs),
    lateHopsShare: round(late / hops, 5),
    attemptsVsAllowed: round(attempts / allowed, 3),
    healthyP99Ms: round(healthy.p99Ms),
    nextRegionP99Ms: round(toNext.p99Ms),
  };
  return { lines, figures };
}

/** Regions without distance, so that only their own latency shows. Caches as deployed. */
async function benchNearRegions(cleanup: Cleanup): Promise<Part> {
  const rig = await createRegionsRig(cleanup, { isFar: false });
  const { setFault, status } = rig;
  const reads = { user: eachOnce() };
  // The machine's own p99.9: hedging cannot go below it.
  const hedging: Phase = { perSecond: HEDGED_PER_SECOND, durationMs: HEDGED_MS };
  const [, undelayed] = await rig.load(reads, lasting((SEEN / PER_SECOND) * 1000), hedging);

  await setFault({ latencyMs: 1_000, latencyShare: 0.01 }, ...REGION_NAMES);
  const attemptsOf = async (): Promise<number> => (await status()).counters.edge_attempts_total ?? 0;
  const before = await attemptsOf();
  const [hedged] = await rig.load(reads, hedging);
  // Attempts include cancelled ones, which may not reach an origin.
  const calls = (await attemptsOf()) - before;
  await setFault({}, ...REGION_NAMES);
  const count = (hedged?.ok ?? 0) + failedOf([hedged]);
  // One percent of the answers are late by 1 s: without hedges the p99.9 is at least that.
  const gain = 1_000 / (hedged?.p999Ms ?? Number.POSITIVE_INFINITY);

  const popularBefore = (await status()).counters.edge_popular_total ?? 0;
  await setFault({ down: true }, ...REGION_NAMES);
  const mixed = { user: (i: number) => (i % 2 === 0 ? makeListener((i / 2) % SEEN) : `stranger:${i}`) };
  const [gone] = await rig.load(mixed, lasting(ALL_GONE_MS));
  const popular = ((await status()).counters.edge_popular_total ?? 0) - popularBefore;
  const failedGone = failedOf([gone]);
  return {
    lines: [
      `1 % of origins' answers delayed by 1 s: p99.9 ${round(hedged?.p999Ms)} ms (${round(gain, 1)} times lower than the delay; without delays it is ${round(undelayed?.p999Ms)} ms), ${calls} calls for ${count} reads, ${failedOf([hedged])} failed`,
      `all regions gone for ${ALL_GONE_MS / 1000} s, half of the reads by listeners with earlier reads: ${failedGone} of ${(gone?.ok ?? 0) + failedGone} failed, ${popular} got the popular list`,
    ],
    figures: {
      hedgeGain: round(gain, 1),
      hedgedP999Ms: round(hedged?.p999Ms),
      undelayedP999Ms: round(undelayed?.p999Ms),
      hedgeCallsPerRead: round(calls / count, 3),
      allGoneFailed: failedGone,
    },
  };
}

/** Takes the nearest region down and up until `loading` ends. */
async function flap({ setFault }: RegionsRig, loading: Promise<PhaseReport[]>): Promise<PhaseReport[]> {
  let isOver = false;
  const ended = loading.finally(() => {
    isOver = true;
  });
  for (let i = 0; !isOver; i++) {
    await setFault(i % 2 === 0 ? { down: true } : {}, 'asia');
    await Promise.race([ended, new Promise((resolve) => systemClock.setTimeout(() => resolve(undefined), FLAP_MS))]);
  }
  return ended;
}

/** Reads with a deadline below the clusters' latency: the number of hops that continue after it. */
async function hurry(rig: RegionsRig, cold: Parameters<RegionsRig['load']>[0]) {
  const hopsOf = async () => {
    const { counters } = await rig.status();
    return {
      hops: (counters.edge_attempts_total ?? 0) + (await rig.sumOfOrigins('earshot_origin_read_seconds_count')),
      late: (counters.edge_late_total ?? 0) + (await rig.sumOfOrigins('earshot_origin_late_total')),
    };
  };
  for (const name of REGION_NAMES) await rig.setClusterFault(name, { latencyMs: 300 });
  const before = await hopsOf();
  const [hurried] = await rig.load({ ...cold, headers: { [DEADLINE_HEADER]: String(HURRIED_MS) } }, lasting(8_000));
  const after = await hopsOf();
  for (const name of REGION_NAMES) await rig.setClusterFault(name, {});
  const [hops, late] = [after.hops - before.hops, after.late - before.late];
  const line = `every cluster 300 ms slower, callers with ${HURRIED_MS} ms: ${failedOf([hurried])} of ${(hurried?.ok ?? 0) + failedOf([hurried])} failed; ${late} of ${hops} hops continued for more than 10 ms after the deadline`;
  return { hops, late, line };
}

const isHealthy = async ({ status }: RegionsRig, names: readonly string[]): Promise<boolean> =>
  (await status()).regions.every(({ name, state }) => !names.includes(name) || state === 'healthy');

const failedOf = (reports: readonly (PhaseReport | undefined)[]): number =>
  reports.reduce((sum, report) => sum + (report === undefined ? 0 : report.shed + report.failed), 0);

const round = (value: number | undefined, digits = 0): number => Number((value ?? 0).toFixed(digits));
