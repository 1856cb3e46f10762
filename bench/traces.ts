// The isolate tier under real requests: recorded keys, replayed in order through a tier of exactly as many entries as the published LRU hit
// ratios were taken with. The traces hold no times: nothing expires, and one read ends before the next begins, so that none collapse.
import { formatCount } from '../ops/format.ts';
import { createReadThrough, type ReadThrough } from './support/read-through.ts';
import { realData } from './support/real-data.ts';
import type { BenchResult } from './support/result.ts';
import { createTierOf, makeTraceKey } from './support/sized-tier.ts';
import { readTrace } from './support/trace.ts';

export interface Trace {
  readonly name: string;
  /** In the README of the real inputs. */
  readonly published: { readonly entries: number; readonly hitPercent: number };
}

export const TRACES = {
  ormBusy: { name: 'orm-busy', published: { entries: 4096, hitPercent: 84.56 } },
  web07: { name: 'web07', published: { entries: 16_384, hitPercent: 72.45 } },
} as const satisfies Record<string, Trace>;

/** The shared tier's model: so many isolates take turns, in front of one LRU of so many times an isolate's entries. */
const ISOLATES = 4;
const SHARED_TIMES = 8;

export async function benchTraces(): Promise<BenchResult> {
  const results: BenchResult[] = [];
  for (const [id, trace] of Object.entries(TRACES)) results.push(await measure(id, trace));
  const report = [
    'real requests, replayed in order through the isolate tier; nothing expires and no reads collapse, because the traces hold no times',
    ...results.map(({ report }) => report),
    `(the shared tier is a model: an LRU with ${SHARED_TIMES} times an isolate's entries, behind ${ISOLATES} isolates that each get every ${ISOLATES}th read;`,
    ' it stands for a tier of a region, and is not the one that Earshot has)',
  ];
  return { report: report.join('\n'), figures: Object.assign({}, ...results.map(({ figures }) => figures)) };
}

/** One isolate tier of the published size, after the whole trace. */
export async function replayAlone(trace: Trace): Promise<ReadThrough> {
  const alone = createReadThrough(await createTierOf(trace.published.entries));
  await forEachKey(trace, (key) => alone.read(key));
  return alone;
}

export const hitPercent = ({ reads, misses }: Pick<ReadThrough, 'reads' | 'misses'>): number =>
  100 * (1 - misses / reads);

async function measure(id: string, trace: Trace): Promise<BenchResult> {
  const { entries, hitPercent: publishedPercent } = trace.published;
  const alone = await replayAlone(trace);
  const { isolateLoads, sharedLoads } = await replayShared(trace);

  const figures = {
    [`${id}HitPercent`]: round(hitPercent(alone), 2),
    [`${id}ReadsPerLoad`]: round(alone.reads / alone.misses, 2),
    [`${id}ReadsPerLoadOf${ISOLATES}`]: round(alone.reads / isolateLoads, 2),
    [`${id}ReadsPerLoadShared`]: round(alone.reads / sharedLoads, 2),
  };
  const [hits, fanIn, isolatesFanIn, sharedFanIn] = Object.values(figures) as [number, number, number, number];
  const neverEvicts =
    sharedLoads <= SHARED_TIMES * entries ? '; it holds every key, so these are first reads only' : '';
  const report = [
    `${trace.name}: ${formatCount(alone.reads)} reads`,
    `  one isolate of ${formatCount(entries)} entries: ${hits.toFixed(2)} % hits (published: ${publishedPercent} %), ${fanIn.toFixed(2)} reads per load`,
    `  ${ISOLATES} isolates of as many entries each, no shared tier: ${isolatesFanIn.toFixed(2)} reads per load`,
    `  the same with a shared tier of ${formatCount(SHARED_TIMES * entries)} entries: ${sharedFanIn.toFixed(2)} reads per load${neverEvicts}`,
  ];
  return { report: report.join('\n'), figures };
}

/** How many loads isolates that take turns need, and how many of those are left behind a tier that they share. */
async function replayShared(trace: Trace): Promise<{ isolateLoads: number; sharedLoads: number }> {
  const { entries } = trace.published;
  const shared = createReadThrough(await createTierOf(SHARED_TIMES * entries));
  const makeIsolate = async (): Promise<ReadThrough> => createReadThrough(await createTierOf(entries), shared);
  const isolates = await Promise.all(Array.from({ length: ISOLATES }, makeIsolate));
  let next = 0;
  await forEachKey(trace, async (key) => isolates[next++ % ISOLATES]?.read(key));
  return { isolateLoads: shared.reads, sharedLoads: shared.misses };
}

async function forEachKey({ name }: Trace, read: (key: string) => Promise<void>): Promise<void> {
  for await (const keys of readTrace(realData(`traces/${name}.trace.xz`))) {
    for (const key of keys) await read(makeTraceKey(key));
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
