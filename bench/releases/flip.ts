// A whole generation goes live under Zipf load: reads of Bigtable a second against the steady rate, with `--ramp auto`,
// with a tenth of it, with none, and with a warm-up before. The region's cache is small, so that lists stay in it for
// about a minute: a ramp of hours has the same shape.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlTable } from '../../ops/bigtable/control-table.ts';
import { readManifestRow, replaceManifest } from '../../ops/bigtable/manifest-row.ts';
import { goLive, startWarm } from '../../ops/release/manifest-changes.ts';
import { rampMsOf } from '../../ops/release/ramp-auto.ts';
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { createRegionsRig, type RegionsRig, USERS } from '../rigs/regions-rig.ts';
import { type Cleanup, withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { fillGeneration, GENERATION, makeListener, SURFACE, tableAddress, VARIANT } from '../support/table-data.ts';
import { drawChart } from './chart.ts';
import { createZipf } from './zipf-users.ts';

const READS_PER_SECOND = 300;
const BINDINGS = { ISOLATE_CACHE_BYTES: '1000000', REGION_CACHE_BYTES: '1000000' };
const FILL_MS = 60_000;
const STEADY_MS = 30_000;
const TAIL_MS = 15_000;
const WINDOW_MS = 5_000;
const METRIC = 'earshot_origin_bigtable_keys_total';
const RELEASE = { surface: SURFACE, variant: VARIANT };

interface Flip {
  readonly name: 'ramp' | 'tenth' | 'cliff' | 'warm';
  /** Largest rate of a window during the flip, over the steady rate before it. */
  readonly readsVsSteady: number;
  /** Reads a second of each window, from the begin of the steady time. */
  readonly windows: readonly number[];
}

export const benchFlip = async (): Promise<BenchResult> => {
  const { flips, rampMs } = await withCleanup(measureAll);
  const directory = join('.earshot', 'bench');
  mkdirSync(directory, { recursive: true });
  const chart = join(directory, 'flip.svg');
  writeFileSync(chart, drawChart(flips, WINDOW_MS / 1000));
  const of = (name: Flip['name']): number => flips.find((flip) => flip.name === name)?.readsVsSteady ?? 0;
  const lines = flips.map(({ name, readsVsSteady }) => `${TITLES[name]}: ${readsVsSteady} times the steady reads`);
  return {
    report: [`--ramp auto is ${Math.round(rampMs / 1000)} s here`, ...lines, `chart: ${chart}`].join('\n'),
    figures: {
      rampSeconds: Math.round(rampMs / 1000),
      rampReadsVsSteady: of('ramp'),
      tenthReadsVsSteady: of('tenth'),
      cliffReadsVsSteady: of('cliff'),
      warmReadsVsSteady: of('warm'),
    },
  };
};

const TITLES: Readonly<Record<Flip['name'], string>> = {
  ramp: '--ramp auto',
  tenth: 'a tenth of it',
  cliff: 'no ramp',
  warm: '--warm, and no ramp',
};

async function measureAll(cleanup: Cleanup): Promise<{ flips: Flip[]; rampMs: number }> {
  const rig = await createRegionsRig(cleanup, { isFar: false, bindings: BINDINGS });
  const bigtable = connectBigtable(tableAddress(rig.tableHost));
  cleanup.add(() => bigtable.close());
  const control: ControlTable = {
    bigtable,
    appProfile: 'control',
    retries: { clock: systemClock, random: Math.random, totalMs: 10_000 },
  };
  const user = createZipf(USERS);
  let isOver = false;
  const phase = { perSecond: READS_PER_SECOND, durationMs: 10_000 };
  const load = (async () => {
    while (!isOver) await rig.load({ user: () => makeListener(user()), fallback: 'none' }, phase);
  })();
  try {
    await pause(systemClock, FILL_MS);
    const rampMs = await rampMsOf(control, 'auto', () => undefined);
    const flips: Flip[] = [];
    let generation = GENERATION;
    for (const name of ['ramp', 'tenth', 'cliff', 'warm'] as const) {
      generation += 1_000;
      await fillGeneration(bigtable, generation, USERS);
      // The flip before must have left the caches.
      await pause(systemClock, rampMs);
      flips.push(await measureFlip(rig, control, { name, generation, rampMs }));
    }
    return { flips, rampMs };
  } finally {
    isOver = true;
    await load;
  }
}

interface FlipOrder {
  readonly name: Flip['name'];
  readonly generation: number;
  readonly rampMs: number;
}

async function measureFlip(rig: RegionsRig, control: ControlTable, order: FlipOrder): Promise<Flip> {
  const { name, generation, rampMs } = order;
  const release = { ...RELEASE, generation };
  const steady = await sample(rig, STEADY_MS);
  const nowMs = systemClock.now();
  const durationMs = name === 'ramp' ? rampMs : name === 'tenth' ? rampMs / 10 : 0;
  const warmed: number[] = [];
  if (name === 'warm') {
    const warmUp = { startsAtMs: nowMs, durationMs: rampMs, untilMs: nowMs + 2 * rampMs };
    await change(control, (live) => startWarm(live, release, warmUp));
    warmed.push(...(await sample(rig, rampMs)));
  }
  const startsAtMs = systemClock.now();
  const ramp = durationMs === 0 ? undefined : { startsAtMs, durationMs: Math.round(durationMs) };
  await change(control, (live) => goLive(live, release, ramp));
  const during = [...warmed, ...(await sample(rig, durationMs + TAIL_MS))];
  const rate = steady.reduce((sum, each) => sum + each, 0) / steady.length;
  const readsVsSteady = Number((Math.max(...during) / rate).toFixed(2));
  process.stderr.write(`${name}: ${readsVsSteady}\n`);
  return { name, readsVsSteady, windows: [...steady, ...during] };
}

/** Reads of Bigtable a second, window by window. */
async function sample(rig: RegionsRig, durationMs: number): Promise<number[]> {
  const windows: number[] = [];
  let atMs = systemClock.monotonicNow();
  let count = await rig.sumOfOrigins(METRIC);
  for (let left = Math.ceil(durationMs / WINDOW_MS); left > 0; left--) {
    await pause(systemClock, WINDOW_MS);
    const [next, nowMs] = [await rig.sumOfOrigins(METRIC), systemClock.monotonicNow()];
    windows.push(((next - count) * 1000) / (nowMs - atMs));
    [count, atMs] = [next, nowMs];
  }
  return windows;
}

async function change(control: ControlTable, of: (live: Manifest) => Manifest): Promise<void> {
  const [read] = await readManifestRow(control, 1);
  if (read?.manifest === undefined) throw new Error('expected a manifest');
  const next = { ...of(read.manifest), version: read.manifest.version + 1 };
  await replaceManifest(control, { read, next, note: { what: 'bench' }, nowMs: systemClock.now() });
}
