// Tiers under recorded requests, replayed in order: first an isolate tier with the size of the published LRU hit
// ratios, then isolates, a region's objects and an origin. Reports hit ratios and the remaining Bigtable reads.
import { formatCount } from '../ops/cli/format.ts';
import type { CacheKey } from '../shared/domain/keys.ts';
import { createRegionReplay, type RegionReplay } from './rigs/region-replay.ts';
import { createReadThrough, type ReadThrough } from './support/read-through.ts';
import { requireRealData } from './support/real-data.ts';
import type { BenchResult } from './support/result.ts';
import { createTierOf, makeTraceKey } from './support/sized-tier.ts';
import { readTrace } from './support/trace.ts';

export interface Trace {
  readonly name: string;
  /** From the README of the real inputs. */
  readonly published: { readonly entries: number; readonly hitPercent: number };
}

export const TRACES = {
  ormBusy: { name: 'orm-busy', published: { entries: 4096, hitPercent: 84.56 } },
  web07: { name: 'web07', published: { entries: 16_384, hitPercent: 72.45 } },
} as const satisfies Record<string, Trace>;

/** Shape of the region: isolates that take turns, and objects with a multiple of an isolate's entries in total. */
const ISOLATES = 4;
const SHARDS = 8;
const REGION_TIMES = 8;
/** The traces have no times: this many consecutive reads count as concurrent. */
const AT_ONCE = 64;
/** Maximum number of reads through the region; the ratios have settled by then. */
const MAX_REGION_READS = 1_000_000;

export async function benchTraces(): Promise<BenchResult> {
  const results: BenchResult[] = [];
  for (const [id, trace] of Object.entries(TRACES)) results.push(await measure(id, trace));
  const report = [
    'real requests, replayed through the code that is deployed; nothing expires, because the traces hold no times',
    ...results.map(({ report }) => report),
    `(region: ${SHARDS} objects, with ${REGION_TIMES} times an isolate's entries together, behind ${ISOLATES} isolates that each get every ${ISOLATES}th read, ${AT_ONCE} reads at once)`,
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
  const { reads, regionReads, rows, originCalls, bigtableCalls } = await replayRegion(trace);
  const figures = {
    [`${id}HitPercent`]: round(hitPercent(alone), 2),
    [`${id}ReadsPerIsolateLoad`]: round(reads / regionReads, 2),
    [`${id}ReadsPerRow`]: round(reads / rows, 2),
    [`${id}RowsPerOriginCall`]: round(rows / originCalls, 2),
    [`${id}ReadsPerBigtableCall`]: round(reads / bigtableCalls, 2),
  };
  const [hits, perLoad, perRow, rowsPerCall, perCall] = Object.values(figures) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const report = [
    `${trace.name}: ${formatCount(alone.reads)} reads through one isolate of ${formatCount(entries)} entries: ${hits.toFixed(2)} % hits (published: ${publishedPercent} %)`,
    `  ${formatCount(reads)} reads through ${ISOLATES} isolates: ${formatCount(regionReads)} reach the region, one in ${perLoad.toFixed(2)}`,
    `  the region's objects: ${formatCount(rows)} rows are read, one for ${perRow.toFixed(2)} reads`,
    `  the origin: ${formatCount(originCalls)} calls of ${rowsPerCall.toFixed(2)} rows, ${formatCount(bigtableCalls)} ReadRows calls, one for ${perCall.toFixed(2)} reads`,
  ];
  return { report: report.join('\n'), figures };
}

/**
 * Replays a trace through isolates that take turns, their region and its origin. Returns the number of reads at each
 * step.
 */
export async function replayRegion(trace: Trace, maxReads = MAX_REGION_READS): Promise<RegionReplay['counted']> {
  const { entries } = trace.published;
  const replay = await createRegionReplay({
    isolates: ISOLATES,
    entriesPerIsolate: entries,
    shards: SHARDS,
    regionEntries: REGION_TIMES * entries,
  });
  let together: number[] = [];
  for await (const keys of readTrace(requireRealData(`traces/${trace.name}.trace.xz`))) {
    for (const key of keys) {
      together.push(key);
      if (together.length < AT_ONCE) continue;
      await replay.read(together);
      together = [];
    }
    if (replay.counted.reads >= maxReads) break;
  }
  await replay.read(together);
  return replay.counted;
}

async function forEachKey({ name }: Trace, read: (key: CacheKey) => Promise<void>): Promise<void> {
  for await (const keys of readTrace(requireRealData(`traces/${name}.trace.xz`))) {
    for (const key of keys) await read(makeTraceKey(key));
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
