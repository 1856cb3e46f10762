// The roads into Bigtable side by side: the same lists by each format, each load in a process of its own. The CPU of
// parsing is that of a process that reads the file and writes nothing.
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { stateDirectory } from '../../ops/cli/settings.ts';
import { lastJson, run } from '../rigs/processes.ts';

/** Runs a command with the flags of its first line. */
const earshot = join(import.meta.dirname, '../../ops/earshot.mjs');
const parse = join(import.meta.dirname, 'parse-road.ts');
const peak = { NODE_OPTIONS: `--import=${new URL('../support/print-peak.ts', import.meta.url)}` };

export interface Road {
  readonly format: string;
  readonly listsPerSecond: number;
  /** CPU of the whole load. */
  readonly cpuUsPerList: number;
  /** CPU of reading and parsing alone. */
  readonly parseCpuUsPerList: number;
  /** In the file. */
  readonly bytesPerList: number;
  readonly peakMb: number;
}

interface Spent {
  readonly peakMb: number;
  readonly cpuMs: number;
}

/** A file of synthetic lists of `length` items, made once. */
export async function sampleFile(format: string, users: number, length: number): Promise<string> {
  const out = join(stateDirectory(), 'bench', `sample-${users}-${length}`);
  const made = format === 'gzip' || format === 'zstd' ? 'ndjson' : format;
  const path = join(out, `home.control.${made}`);
  const args = ['sample', '--users', String(users), '--length', String(length), '--format', made, '--out', out];
  if (!(await exists(path))) await run(earshot, args, {});
  if (made === format) return path;
  const packed = `${path}.${format}`;
  const pack = format === 'gzip' ? createGzip() : createZstdCompress();
  if (!(await exists(packed))) await pipeline(createReadStream(path), pack, createWriteStream(packed));
  return packed;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export async function measureRoad(
  format: string,
  {
    users,
    length,
    env,
  }: { readonly users: number; readonly length: number; readonly env: Readonly<Record<string, string>> },
): Promise<Road> {
  const path = await sampleFile(format, users, length);
  const { size } = await stat(path);
  const parsed = lastJson<Spent>(await run(process.execPath, [parse, path], peak));
  const args = ['ingest', path, '--surface', 'home', '--variant', format];
  const loaded = await run(earshot, args, { ...env, ...peak });
  const { cpuMs, peakMb } = lastJson<Spent>(loaded);
  return {
    ...{ format, listsPerSecond: Math.round(users / (loaded.durationMs / 1000)) },
    cpuUsPerList: round((cpuMs * 1000) / users),
    parseCpuUsPerList: round((parsed.cpuMs * 1000) / users),
    bytesPerList: round(size / users),
    peakMb: Math.round(peakMb),
  };
}

export interface Watched {
  readonly listsPerSecond: number;
  /** Rate in the last tenth of the load, against that in the first. */
  readonly lastVsFirstTenth: number;
  readonly peakMb: number;
  /** The most memory in the second half of the load, against that in its first half. */
  readonly secondVsFirstHalf: number;
}

const SAMPLE_MS = 250;

/** A large load, watched from outside: its progress lines and its memory. */
export async function watchLoad(
  users: number,
  length: number,
  env: Readonly<Record<string, string>>,
): Promise<Watched> {
  const path = await sampleFile('ndjson', users, length);
  const args = ['ingest', path, '--surface', 'home', '--variant', 'many'];
  const child = spawn(earshot, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  const seen: { readonly atMs: number; readonly lists: number }[] = [];
  const memory: { readonly atMs: number; readonly mb: number }[] = [];
  child.stderr.on('data', (text: Buffer) => {
    const [, count] = /, ([\d ]+) loaded/.exec(text.toString()) ?? [];
    if (count !== undefined) seen.push({ atMs: performance.now(), lists: Number(count.replaceAll(' ', '')) });
  });
  const timer = setInterval(() => memory.push({ atMs: performance.now(), mb: residentMb(child.pid) }), SAMPLE_MS);
  const startedAtMs = performance.now();
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`expected the load to succeed, got exit code ${code}`);
  const tookMs = performance.now() - startedAtMs;
  const half = startedAtMs + tookMs / 2;
  const most = (part: typeof memory): number => Math.max(...part.map(({ mb }) => mb));
  return {
    listsPerSecond: Math.round(users / (tookMs / 1000)),
    lastVsFirstTenth: round(rateBetween(seen, 0.9 * users, users) / rateBetween(seen, 0, 0.1 * users)),
    peakMb: Math.round(most(memory)),
    secondVsFirstHalf: round(
      most(memory.filter(({ atMs }) => atMs > half)) / most(memory.filter(({ atMs }) => atMs <= half)),
    ),
  };
}

/** Lists per millisecond between the progress lines around these counts. */
function rateBetween(
  seen: readonly { readonly atMs: number; readonly lists: number }[],
  from: number,
  to: number,
): number {
  const first = seen.findLast(({ lists }) => lists <= from) ?? seen[0];
  const last = seen.find(({ lists }) => lists >= to) ?? seen.at(-1);
  const before = first === last ? seen[seen.indexOf(first as (typeof seen)[number]) - 1] : first;
  if (before === undefined || last === undefined)
    throw new Error(`expected progress of the load, got ${seen.length} lines`);
  return (last.lists - before.lists) / (last.atMs - before.atMs);
}

function residentMb(pid: number | undefined): number {
  try {
    const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return (Number(pages) * 4096) / 1e6;
  } catch {
    return 0;
  }
}

const round = (value: number): number => Number(value.toPrecision(3));
