// Cost of the deployed worker in `workerd serve`: a hit in the isolate, a batch of hits, start-up and memory. The
// baseline is a bare Hono route with the same bytes, in its own process.
import { READS_PER_BATCH } from '../rigs/edge-asks.ts';
import { createEdgeRig } from '../rigs/edge-rig.ts';
import { withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { measureExposures } from './exposures.ts';
import { BATCHES, measureHits, REQUESTS, ROUNDS } from './hits.ts';
import { LISTS, measureMemory } from './memory.ts';
import { measureStartUps, PAIRS } from './start-up.ts';
import { measureTokenMemory } from './token-memory.ts';

export const benchEdge = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const rig = await createEdgeRig(cleanup);
    const startUps = await measureStartUps(rig);
    const costs = await measureHits(rig);
    const memory = await measureMemory(rig);
    const tokens = await measureTokenMemory();
    const exposures = await measureExposures();

    const figures = {
      isolateHitCpuVsBare: round(costs.hitVsBare, 2),
      limitedHitVsUnlimited: round(costs.limitedVsHit, 2),
      exposureHitCpuVs: round(costs.exposedVsHit, 2),
      exposureBytes: costs.exposureBytes,
      exposuresPerSecond: round(exposures, 0),
      rememberedTokenUs: round(tokens.micros, 2),
      rememberedTokenVsMap: round(tokens.vsMap, 2),
      batch100VsSingleHits: round(costs.batchVsHit, 2),
      bundleGzipKb: round(rig.bundle.gzipBytes / 1000, 1),
      isolateBytesVsConfigured: round(memory.vsConfigured, 3),
      hitCpuUs: round(costs.hit.micros, 1),
      bareCpuUs: round(costs.bare.micros, 1),
      batchCpuUs: round(costs.batch.micros, 0),
      hitsPerSecond: round(costs.hit.perSecond, 0),
      barePerSecond: round(costs.bare.perSecond, 0),
      startUpMs: round(startUps.edgeMs, 1),
      bareStartUpMs: round(startUps.bareMs, 1),
      startUpCpuBeyondBareMs: round(startUps.cpuBeyondBareMs, 0),
      firstListMs: round(startUps.listMs, 1),
      isolateMb: round(memory.liveBytes / 1e6, 1),
    };
    const report = [
      `a list from the isolate: ${figures.hitCpuUs} us of CPU, ${figures.isolateHitCpuVsBare} times that of a bare Hono route with the same bytes (${figures.bareCpuUs} us)`,
      `  at ${figures.hitsPerSecond} and ${figures.barePerSecond} requests/s, the rate of one client on the same machine`,
      `  with the limits of callers: ${figures.limitedHitVsUnlimited} times the CPU`,
      `  with an exposure of ${figures.exposureBytes} bytes: ${figures.exposureHitCpuVs} times the CPU; ${figures.exposuresPerSecond} reports a second a core`,
      `  a remembered token: ${figures.rememberedTokenUs} us, ${figures.rememberedTokenVsMap} times a look-up in a Map`,
      `a batch of ${READS_PER_BATCH} such lists: ${figures.batchCpuUs} us of CPU, that of ${figures.batch100VsSingleHits} single ones`,
      `  (medians of ${ROUNDS} rounds in turn, ${REQUESTS} requests or ${BATCHES} batches each)`,
      `start to first answer: ${figures.startUpMs} ms, a bare worker ${figures.bareStartUpMs} ms; to the first list ${figures.firstListMs} ms`,
      `  ${figures.startUpCpuBeyondBareMs} ms of CPU more than the bare one (medians of ${PAIRS} pairs)`,
      `bundle: ${figures.bundleGzipKb} KB gzipped`,
      `memory after ${LISTS} lists of 2 KB: ${figures.isolateMb} MB, ${figures.isolateBytesVsConfigured} of the ${round(rig.isolateCacheBytes / 1e6, 1)} MB configured (${round(memory.listsPerSecond, 0)} lists/s through batches)`,
    ];
    return { report: report.join('\n'), figures };
  });

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
