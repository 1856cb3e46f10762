// Publish, roll back and block in a running local cloud under load, many times: from the write of the manifest until
// every region's origin and the edge serve it, and what the edge still answers after the command has returned.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { readManifestRow } from '../../ops/bigtable/manifest-row.ts';
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { type CommandResult, startTestCloud, type TestCloud } from '../rigs/local-cloud.ts';
import { type Cleanup, withCleanup } from '../support/cleanup.ts';
import { linesOn, userOf } from '../support/days-of-lists.ts';
import type { BenchResult } from '../support/result.ts';
import { median } from '../support/statistics.ts';
import { type AnsweredBatch, type BatchReaders, startBatchReaders } from './batch-readers.ts';

const ROUNDS = Number(process.env.EARSHOT_BENCH_ROUNDS ?? 20);
const users = Array.from({ length: 1_400 }, (_, i) => userOf(i));
const BATCHES_PER_SECOND = 4;
const READS_PER_BATCH = 20;
const POLL_MS = 100;
/** Batches that must all name the new release before a move counts as over. */
const SETTLED_BATCHES = 8;

type Move = 'publish' | 'rollback' | 'block';

interface Moved {
  readonly move: Move;
  /** Seconds from the write of the manifest until the last region's origin served it. */
  readonly regionsS: number;
  /** Seconds from the write until the edge began the last answer of the release before. */
  readonly edgeS: number;
  /** Batches with a list of the release before that began after the command had returned. */
  readonly lateBatches: number;
  readonly failedReads: number;
}

export interface MoveFigures {
  readonly move: Move;
  readonly rounds: number;
  readonly p50S: number;
  readonly p90S: number;
  readonly p100S: number;
  readonly lateBatches: number;
  readonly failedReads: number;
}

export const benchPropagation = async (): Promise<BenchResult> => {
  const moved = await withCleanup(measureAll);
  const moves = (['publish', 'rollback', 'block'] as const).map((move) =>
    summarise(
      move,
      moved.filter((each) => each.move === move),
    ),
  );
  const lines = moves.map(
    ({ move, rounds, p50S, p90S, p100S, lateBatches, failedReads }) =>
      `${move}, ${rounds} times: everywhere after ${p50S} s (p50), ${p90S} s (p90), ${p100S} s (p100); ` +
      `${lateBatches} batches with an old list after the command's return; ${failedReads} failed reads`,
  );
  return { report: lines.join('\n'), figures: { moves } };
};

function summarise(move: Move, moved: readonly Moved[]): MoveFigures {
  const seconds = moved.map(({ regionsS, edgeS }) => Math.max(regionsS, edgeS)).sort((a, b) => a - b);
  const sum = (of: (each: Moved) => number): number => moved.reduce((total, each) => total + of(each), 0);
  return {
    ...{ move, rounds: moved.length, p50S: round(median(seconds)), p100S: round(seconds.at(-1) ?? 0) },
    p90S: round(seconds[Math.ceil(0.9 * seconds.length) - 1] ?? 0),
    lateBatches: sum(({ lateBatches }) => lateBatches),
    failedReads: sum(({ failedReads }) => failedReads),
  };
}

const round = (value: number): number => Number(value.toFixed(1));

interface Stage {
  readonly cloud: TestCloud;
  readonly directory: string;
  readonly readers: BatchReaders;
  /** Since the last move began. */
  readonly batches: AnsweredBatch[];
  /** The newest version of the manifest, and when it was written. */
  readonly newest: () => Promise<{ version: number; writtenAtMs: number; current: number }>;
  readonly moved: Moved[];
  day: number;
  generation: number;
}

async function measureAll(cleanup: Cleanup): Promise<readonly Moved[]> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-propagation-'));
  cleanup.add(async () => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'home.control.ndjson'), [...linesOn(users, 0)].join(''));
  const cloud = await startTestCloud('--data', directory);
  cleanup.add(async () => {
    await cloud.stop();
  });
  const newest = connectManifest(cleanup, cloud);
  const token = await cloud.mintToken('service:bench', 'recs:read:any');
  const batches: AnsweredBatch[] = [];
  const readers = startBatchReaders({
    ...{ edgeUrl: cloud.edgeUrl, token, users, clock: systemClock, onBatch: (batch) => batches.push(batch) },
    ...{ batchesPerSecond: BATCHES_PER_SECOND, readsPerBatch: READS_PER_BATCH },
  });
  cleanup.add(() => readers.stop());
  const { current } = await newest();
  const stage: Stage = { cloud, directory, readers, batches, newest, moved: [], day: 0, generation: current };
  // At first every list is cold, and the origins' limits have not adapted.
  while (batches.length * READS_PER_BATCH < 3 * users.length) await pause(systemClock, POLL_MS);
  for (let i = 0; i < ROUNDS; i++) {
    // The second is left first: then there is nothing between it and the release that the round began with.
    const first = await ingest(stage);
    await move(stage, 'publish', first);
    const second = await ingest(stage);
    await move(stage, 'publish', second);
    await move(stage, 'block', second);
    await move(stage, 'rollback', 'home/control');
    // The live release is that of the round's begin again, and the next day follows it.
    stage.day -= 2;
    // A release that is left takes a version of a list, which the next rounds need.
    for (const left of [first, second])
      requireDone(await stage.cloud.earshot('release', 'drop', left, '--why', 'a bench'));
  }
  // Each round has two publications.
  return stage.moved.filter(({ move: of }, i) => of !== 'publish' || i % 4 === 0);
}

function connectManifest(cleanup: Cleanup, cloud: TestCloud): Stage['newest'] {
  const emulatorHost = `127.0.0.1:${cloud.ports.bigtable}`;
  const bigtable = connectBigtable({ project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, emulatorHost });
  cleanup.add(() => bigtable.close());
  const retries = { clock: systemClock, random: Math.random, totalMs: 10_000 };
  return async () => {
    const [row] = await readManifestRow({ bigtable, appProfile: 'control', retries }, 1);
    if (row?.manifest === undefined) throw new Error('expected a manifest, got none');
    const current = row.manifest.surfaces.home?.variants[0]?.current ?? 0;
    return { version: row.manifest.version, writtenAtMs: row.writtenAtMs, current };
  };
}

async function ingest(stage: Stage): Promise<string> {
  stage.generation += 1_000;
  stage.day += 1;
  const moment = formatGeneration(stage.generation);
  const path = join(stage.directory, 'next.ndjson');
  writeFileSync(path, [...linesOn(users, stage.day)].join(''));
  const which = ['--surface', 'home', '--variant', 'control', '--generation', moment];
  requireDone(await stage.cloud.earshot('ingest', path, ...which));
  return `home/control@${moment}`;
}

async function move(stage: Stage, of: Move, what: string): Promise<void> {
  const { cloud, readers, batches, newest } = stage;
  const before = await newest();
  readers.reset();
  batches.length = 0;
  const command = of === 'block' ? ['release', 'block'] : [of];
  const why = of === 'publish' ? [] : ['--why', 'a bench'];
  const regions = watchRegions(cloud, before.version + 1);
  // A failed command ends the bench, and its cloud.
  regions.catch(() => undefined);
  requireDone(await cloud.earshot(...command, what, ...why));
  const returnedAtMs = systemClock.now();
  const { writtenAtMs, current } = await newest();
  const regionsAtMs = await regions;
  await settle(batches, current);
  const isOld = ({ generations }: AnsweredBatch): boolean => generations.some((generation) => generation !== current);
  const oldAtMs = batches.filter(isOld).map(({ beganAtMs }) => beganAtMs);
  const figures: Moved = {
    move: of,
    regionsS: (regionsAtMs - writtenAtMs) / 1000,
    edgeS: (Math.max(writtenAtMs, ...oldAtMs) - writtenAtMs) / 1000,
    lateBatches: oldAtMs.filter((atMs) => atMs > returnedAtMs).length,
    failedReads: readers.seen().failed,
  };
  stage.moved.push(figures);
  process.stderr.write(`${JSON.stringify(figures)}\n`);
}

/** The moment when the origin of each region serves this version. */
async function watchRegions(cloud: TestCloud, version: number): Promise<number> {
  const { regions } = cloud.describe();
  for (;;) {
    const served = await Promise.all(regions.map(({ metrics }) => versionAt(metrics ?? '')));
    if (served.every((each) => each >= version)) return systemClock.now();
    await pause(systemClock, POLL_MS);
  }
}

async function versionAt(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^earshot_origin_manifest_version(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
}

/** Until many batches in a row have named no other release. */
async function settle(batches: readonly AnsweredBatch[], current: number): Promise<void> {
  for (;;) {
    const last = batches.slice(-SETTLED_BATCHES).flatMap(({ generations }) => generations);
    if (last.length > 0 && batches.length >= SETTLED_BATCHES && last.every((each) => each === current)) return;
    await pause(systemClock, POLL_MS);
  }
}

function requireDone({ code, stderr }: CommandResult): void {
  if (code !== 0) throw new Error(`expected exit code 0, got ${code}: ${stderr}`);
}
