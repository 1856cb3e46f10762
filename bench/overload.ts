// An origin under three times its capacity for 30 s: goodput, latency, memory and recovery time. Reads of 25 uncached
// keys from the embedded Bigtable. The limit is once the table, with limited rows per second and a latency per call,
// and once the machine's cores.
import { readFileSync } from 'node:fs';
import { formatCount } from '../ops/cli/format.ts';
import { type Phase, type PhaseReport, runOpenLoad } from './load/open-load.ts';
import { makeListsRead, mintBenchToken, type OriginProcess, startOriginProcess } from './rigs/origin-process.ts';
import { type BenchBigtable, startBigtable } from './rigs/processes.ts';
import { REGION_NAMES } from './rigs/regions-rig.ts';
import { type Cleanup, withCleanup } from './support/cleanup.ts';
import type { BenchResult } from './support/result.ts';
import { fillTable, makeKey, makeListener, tableAddress } from './support/table-data.ts';

const USERS = 20_000;
const KEYS = 25;
const REQUESTS = 2_000;
const OVERLOAD = 3;
const OVERLOAD_MS = 30_000;
const HALF_MS = 6_000;
/** Reads per second. The steps end when the goodput does not rise any more. */
const STEPS = [100, 200, 300, 400, 500, 600, 700, 800, 1000, 1200, 1500];
const STEP_MS = 3_000;
const HELD_MS = 15_000;
/** Limits of the table: fewer rows than the processes could read, and about the latency of a cluster. */
const TABLE = { rowsPerSecond: 7_500, latencyMs: 5, jitterMs: 3 };

/**
 * Arguments of the Bigtable process, which is not the measured one and shares its cores. A larger heap that includes
 * external memory collects garbage once per run instead of every few seconds.
 */
const TABLE_ARGS = [
  '--external-memory-accounted-in-global-limit',
  '--heap-growing-percent=400',
  '--initial-old-space-size=400',
];

interface Part {
  readonly lines: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

export const benchOverload = async (): Promise<BenchResult> => {
  const table = await withCleanup((cleanup) => benchPart(cleanup, 'table', TABLE));
  const cores = await withCleanup((cleanup) => benchPart(cleanup, 'cores'));
  return {
    report: [...table.lines, ...cores.lines].join('\n'),
    figures: { ...prefix('table', table.figures), ...prefix('cores', cores.figures) },
  };
};

async function benchPart(cleanup: Cleanup, limitedBy: string, capacity?: object): Promise<Part> {
  const bigtable = await startBigtable(TABLE_ARGS);
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
  if (capacity !== undefined) await limit(bigtable, capacity);
  // Without a list cache every read goes to the table.
  const origin = await startOriginProcess(cleanup, { ...bigtable.env, EARSHOT_LIST_CACHE_BYTES: '0' });
  const token = await mintBenchToken();
  const requests = Array.from({ length: REQUESTS }, (_, b) =>
    makeListsRead(
      token,
      Array.from({ length: KEYS }, (_, i) => makeKey(makeListener((b * KEYS * 3 + i * 37) % USERS))),
    ),
  );
  const load = (...phases: Phase[]): Promise<PhaseReport[]> =>
    runOpenLoad({ port: origin.port, requests, maxConnections: 512, phases });

  await load({ perSecond: 100, durationMs: 3_000 });
  const peak = await findPeak(load);
  // A peak of a few seconds cannot be sustained.
  const [held] = await load({ perSecond: peak, durationMs: HELD_MS, fromMs: 500 });
  // As long as the overload, so that both include garbage collections.
  const [unloaded] = await load({ perSecond: peak * 0.2, durationMs: OVERLOAD_MS });
  const before = residentMb(origin);
  const watch = watchProcess(origin);
  // The same generator as for the overload: a new one blocks for 40 ms at the first burst.
  const [half, over, , after] = await load(
    { perSecond: peak * 0.5, durationMs: HALF_MS },
    { perSecond: peak * OVERLOAD, durationMs: OVERLOAD_MS },
    { perSecond: peak * 0.5, durationMs: 2_000 },
    { perSecond: peak * 0.5, durationMs: HALF_MS },
  );
  const { middleMb, endMb } = watch.stop();
  const queue = await readGauge(origin, 'earshot_origin_queue_depth');
  if (held === undefined || unloaded === undefined || half === undefined || over === undefined || after === undefined)
    throw new Error('expected a report a phase');

  const figures = {
    peakKeysPerSecond: Math.round(peak * KEYS),
    heldKeysPerSecond: Math.round(held.okPerSecond * KEYS),
    overloadGoodput: round(over.okPerSecond / held.okPerSecond, 2),
    overloadGoodputVsPeak: round(over.okPerSecond / peak, 2),
    overloadP99VsUnloaded: round(over.p99Ms / unloaded.p99Ms, 2),
    overloadMemoryGrowth: round(endMb / middleMb, 2),
    unloadedP99Ms: round(unloaded.p99Ms, 1),
    overloadP50Ms: round(over.p50Ms, 1),
    overloadP99Ms: round(over.p99Ms, 1),
    halfP99Ms: round(half.p99Ms, 1),
    afterP99Ms: round(after.p99Ms, 1),
    afterShed: after.shed + after.failed,
    failed: over.failed,
  };
  const lines = [
    `limited by the ${limitedBy}: peak ${formatCount(figures.peakKeysPerSecond)} keys/s in reads of ${KEYS}, ${formatCount(figures.heldKeysPerSecond)} sustained for ${HELD_MS / 1000} s; at a fifth of it p50 ${round(unloaded.p50Ms, 1)} ms, p99 ${figures.unloadedP99Ms} ms`,
    `  ${OVERLOAD} times the peak for ${OVERLOAD_MS / 1000} s: ${figures.overloadGoodput} of the sustained goodput (${figures.overloadGoodputVsPeak} of the peak), p50 of it ${figures.overloadP50Ms} ms, p99 ${figures.overloadP99Ms} ms (${figures.overloadP99VsUnloaded} times), ${formatCount(over.shed)} reads shed, ${over.failed} failed, at most ${over.mostOpen} under way`,
    `  memory ${round(before, 0)} MB before, ${round(middleMb, 0)} MB in the middle, ${round(endMb, 0)} MB at the end (${figures.overloadMemoryGrowth}); keys queued afterwards: ${queue}`,
    `  at half of the peak, from 2 s after it: p99 ${figures.afterP99Ms} ms, before it ${figures.halfP99Ms} ms; ${figures.afterShed} shed or failed`,
  ];
  return { lines, figures };
}

/** Sets the fault of every cluster of the embedded Bigtable. */
async function limit({ controlUrl }: BenchBigtable, capacity: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  for (const name of REGION_NAMES) {
    const url = `${controlUrl}/clusters/${name}/fault`;
    const response = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(capacity) });
    if (!response.ok) throw new Error(`expected the capacity to be set, got ${await response.text()}`);
  }
}

/** Prefixes figure names, for example `tableOverloadGoodput`. */
const prefix = (name: string, figures: Part['figures']): Record<string, number> =>
  Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [`${name}${key[0]?.toUpperCase()}${key.slice(1)}`, value]),
  );

/** Maximum rate of complete answers per second, at any offered rate. */
async function findPeak(load: (...phases: Phase[]) => Promise<PhaseReport[]>): Promise<number> {
  let best = 0;
  for (const perSecond of STEPS) {
    const [report] = await load({ perSecond, durationMs: STEP_MS, fromMs: 500 });
    best = Math.max(best, report?.okPerSecond ?? 0);
    if ((report?.okPerSecond ?? 0) < perSecond * 0.8) break;
  }
  return best;
}

/** Resident memory, from /proc. */
function residentMb({ pid }: OriginProcess): number {
  const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return (Number(pages) * 4096) / 1e6;
}

function watchProcess(origin: OriginProcess): { stop(): { middleMb: number; endMb: number } } {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentMb(origin)), 500);
  return {
    stop: () => {
      clearInterval(timer);
      const during = samples.slice(HALF_MS / 500, (HALF_MS + OVERLOAD_MS) / 500);
      const most = (part: readonly number[]): number => Math.max(...part);
      const third = Math.floor(during.length / 3);
      return { middleMb: most(during.slice(third, 2 * third)), endMb: most(during.slice(2 * third)) };
    },
  };
}

async function readGauge({ metricsUrl }: OriginProcess, name: string): Promise<number> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(text)?.[1]);
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
