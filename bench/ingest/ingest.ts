// Ingest: `earshot ingest` against a bare mutateRows loop with the same client, batch size and concurrency. Each runs
// in its own process against one embedded Bigtable. Then one million lists: the loader's memory, and Bigtable's time
// for point reads of them. Then the formats side by side, and five million lists: the loader's memory and rate over
// time.
import { join } from 'node:path';
import { LOCAL_CLUSTERS } from '../../dev/topology.ts';
import { type BenchBigtable, lastJson, type Run, run, startBigtable } from '../rigs/processes.ts';
import { writeListsFile } from '../support/lists-file.ts';
import type { BenchResult } from '../support/result.ts';
import { median } from '../support/statistics.ts';
import { measureRoad, type Road, watchLoad } from './roads.ts';

const PAIRS = 5;
const LISTS_PER_RUN = 100_000;
const MANY_LISTS = 1_000_000;
const POINT_READS = 10_000;

interface PointReads {
  readonly meanMicros: number;
  readonly p99Micros: number;
}

const FORMATS = ['ndjson', 'gzip', 'zstd', 'avro', 'parquet'];
const ROAD_LISTS = 300_000;
const LARGE_LISTS = 5_000_000;
/** The embedded Bigtable has the rows of all clusters in memory, and few of them are garbage. */
const LARGE_TABLE = ['--max-old-space-size=16384', '--max-semi-space-size=64'];
/** Short lists, and lists of about 2 KB. */
const [SHORT, LONG] = [5, 50];
const LONG_LISTS = 40_000;

export async function benchIngest(): Promise<BenchResult> {
  const pairs = await withBigtable(measure);
  const roads: Road[] = [];
  for (const format of FORMATS)
    roads.push(await withBigtable(({ env }) => measureRoad(format, { users: ROAD_LISTS, length: SHORT, env })));
  const long = await withBigtable(({ env }) => measureRoad('ndjson', { users: LONG_LISTS, length: LONG, env }));
  const terabytesADay = (long.bytesPerList / long.cpuUsPerList) * 1e6 * 86_400 * 1e-12;
  const large = await withBigtable(({ env }) => watchLoad(LARGE_LISTS, SHORT, env), LARGE_TABLE);
  const lines = [
    pairs.report,
    `${ROAD_LISTS} short lists by each format:`,
    ...roads.map(
      ({ format, ...road }) =>
        `  ${format}: ${road.listsPerSecond} lists/s, ${road.cpuUsPerList} us of CPU a list, ${road.parseCpuUsPerList} of them for parsing; ${road.bytesPerList} bytes a list in the file; at most ${road.peakMb} MB`,
    ),
    `lists of ${long.bytesPerList} bytes: ${long.cpuUsPerList} us of CPU each, which is ${round(terabytesADay, 2)} TB a day and core`,
    `${LARGE_LISTS} short lists: ${large.listsPerSecond} lists/s, in the last tenth ${large.lastVsFirstTenth} of the rate in the first; at most ${large.peakMb} MB, in the second half ${large.secondVsFirstHalf} of the most in the first`,
  ];
  const figures = { ...pairs.figures, roads, terabytesADay: round(terabytesADay, 2), ...prefixed('large', large) };
  return { report: lines.join('\n'), figures };
}

/** A new Bigtable for each: tables that grow would slow down the later ones. */
async function withBigtable<T>(
  work: (bigtable: BenchBigtable) => Promise<T>,
  nodeArgs: readonly string[] = [],
): Promise<T> {
  const bigtable = await startBigtable(nodeArgs);
  try {
    const clusters = Object.entries(LOCAL_CLUSTERS).map((pair) => pair.join('='));
    await run(earshot, ['schema', 'apply', '--clusters', clusters.join(',')], bigtable.env);
    return await work(bigtable);
  } finally {
    await bigtable.stop();
  }
}

const prefixed = (prefix: string, figures: object): Record<string, number> =>
  Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [`${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`, value]),
  );

async function measure({ env, controlUrl }: BenchBigtable): Promise<BenchResult> {
  const load = (file: string): Promise<Run> =>
    run(earshot, ['ingest', file, '--surface', 'home', '--variant', 'control'], {
      ...env,
      NODE_OPTIONS: `--import=${new URL('../support/print-peak.ts', import.meta.url)}`,
    });
  const bare = (): Promise<Run> => run(process.execPath, [script('bare.ts'), String(LISTS_PER_RUN)], env);

  const file = await writeListsFile(LISTS_PER_RUN);
  const ratios: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const isLoaderFirst = pair % 2 === 0;
    const first = await (isLoaderFirst ? load(file) : bare());
    const second = await (isLoaderFirst ? bare() : load(file));
    const ratio = first.durationMs / second.durationMs;
    ratios.push(isLoaderFirst ? 1 / ratio : ratio);
  }
  const many = await load(await writeListsFile(MANY_LISTS));
  const { peakMb } = lastJson<{ peakMb: number }>(many);
  const pointReads = [script('point-reads.ts'), String(MANY_LISTS), String(POINT_READS), controlUrl];
  const points = lastJson<PointReads>(await run(process.execPath, pointReads, env));

  const ingestVsBare = median(ratios);
  const listsPerSecond = MANY_LISTS / (many.durationMs / 1000);
  const figures = {
    ingestVsBare: round(ingestVsBare, 3),
    listsPerSecond: Math.round(listsPerSecond),
    peakMb: Math.round(peakMb),
    pointReadMeanMicros: round(points.meanMicros, 1),
    pointReadP99Micros: round(points.p99Micros, 1),
  };
  const report = [
    `earshot ingest against a bare mutateRows loop (250 rows a batch, 4 in flight, ${LISTS_PER_RUN} lists a run):`,
    `  ${figures.ingestVsBare} of its rate (median of ${PAIRS} pairs: ${ratios.map((ratio) => round(ratio, 2)).join(' ')})`,
    `${MANY_LISTS} short lists: ${figures.listsPerSecond} lists/s, the loader's peak memory ${figures.peakMb} MB`,
    `point reads of them: ${figures.pointReadMeanMicros} us of the embedded Bigtable's own time, p99 ${figures.pointReadP99Micros} us (${POINT_READS} reads)`,
  ];
  return { report: report.join('\n'), figures };
}

const script = (name: string): string => join(import.meta.dirname, name);
/** Runs a command with the flags of its first line. */
const earshot = join(import.meta.dirname, '../../ops/earshot.mjs');

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
