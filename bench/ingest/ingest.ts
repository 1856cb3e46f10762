// Ingest: `earshot ingest` against a bare mutateRows loop with the same client, batch size and concurrency. Each runs
// in its own process against one embedded Bigtable. Then one million lists: the loader's memory, and Bigtable's time
// for point reads of them.
import { join } from 'node:path';
import { LOCAL_CLUSTERS } from '../../dev/topology.ts';
import { lastJson, type Run, run, startBigtable } from '../rigs/processes.ts';
import { writeListsFile } from '../support/lists-file.ts';
import type { BenchResult } from '../support/result.ts';
import { median } from '../support/statistics.ts';

const PAIRS = 5;
const LISTS_PER_RUN = 100_000;
const MANY_LISTS = 1_000_000;
const POINT_READS = 10_000;

interface PointReads {
  readonly meanMicros: number;
  readonly p99Micros: number;
}

export async function benchIngest(): Promise<BenchResult> {
  const bigtable = await startBigtable();
  try {
    return await measure(bigtable);
  } finally {
    await bigtable.stop();
  }
}

async function measure({ env, controlUrl }: Awaited<ReturnType<typeof startBigtable>>): Promise<BenchResult> {
  const clusters = Object.entries(LOCAL_CLUSTERS).map((pair) => pair.join('='));
  await run(earshot, ['schema', 'apply', '--clusters', clusters.join(',')], env);
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
    `earshot ingest against a bare mutateRows loop (1000 rows a batch, 4 in flight, ${LISTS_PER_RUN} lists a run):`,
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
