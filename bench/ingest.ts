// Loading: `earshot ingest` against a bare mutateRows loop with the same client, batches and number in flight, both in processes of their
// own against one embedded Bigtable; then a million lists, with the loader's own memory, and how long Bigtable takes for a point read of them.
import { join } from 'node:path';
import { LOCAL_CLUSTERS } from '../dev/topology.ts';
import { runEarshot } from '../ops/program.ts';
import { writeListsFile } from './support/lists-file.ts';
import { runToJson, startBigtable } from './support/processes.ts';
import { median } from './support/statistics.ts';

export interface BenchResult {
  /** For people. */
  readonly report: string;
  /** For machines, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

const PAIRS = 5;
const LISTS_PER_RUN = 100_000;
const MANY_LISTS = 1_000_000;
const POINT_READS = 10_000;

interface Run {
  readonly durationMs: number;
  readonly peakMb: number;
}

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
  Object.assign(process.env, env);
  const clusters = Object.entries(LOCAL_CLUSTERS).map((pair) => pair.join('='));
  if ((await runEarshot(['schema', 'apply', '--clusters', clusters.join(',')])) !== 0)
    throw new Error('the schema was not applied');
  const run = (script: string, ...args: (string | number)[]) =>
    runToJson<Run>(join(import.meta.dirname, script), args.map(String), env);

  const file = await writeListsFile(LISTS_PER_RUN);
  const ratios: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const order = pair % 2 === 0 ? ['loader', 'bare'] : ['bare', 'loader'];
    const took: Record<string, number> = {};
    for (const which of order) {
      const { durationMs } =
        which === 'loader' ? await run('ingest-loader.ts', file) : await run('ingest-bare.ts', LISTS_PER_RUN);
      took[which] = durationMs;
    }
    ratios.push((took.bare ?? 0) / (took.loader ?? 1));
  }
  const many = await run('ingest-loader.ts', await writeListsFile(MANY_LISTS));
  const points = await runToJson<PointReads>(
    join(import.meta.dirname, 'ingest-point-reads.ts'),
    [String(MANY_LISTS), String(POINT_READS), controlUrl],
    env,
  );

  const ingestVsBare = median(ratios);
  const listsPerSecond = MANY_LISTS / (many.durationMs / 1000);
  const figures = {
    ingestVsBare: round(ingestVsBare, 3),
    listsPerSecond: Math.round(listsPerSecond),
    peakMb: Math.round(many.peakMb),
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

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
