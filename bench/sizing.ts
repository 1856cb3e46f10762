// CPU of one read in each process that scales with reads: the figures that `earshot size` computes with.

import { type Cost, measureRound, type Subject } from './edge/rounds.ts';
import { runLoad } from './load/load.ts';
import { expectOk, makeListAsks, makeUsers } from './rigs/edge-asks.ts';
import { createEdgeRig } from './rigs/edge-rig.ts';
import { makeListsRead, mintBenchToken, startOriginProcess } from './rigs/origin-process.ts';
import { startBigtable } from './rigs/processes.ts';
import { type Cleanup, withCleanup } from './support/cleanup.ts';
import { cpuTimeMs } from './support/cpu-time.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';
import { fillTable, makeKey, makeListener, tableAddress } from './support/table-data.ts';

const ROUNDS = 5;
const HITS = 6_000;
const COLD_READS = 2_000;
const COLD_USERS = 20_000;
const BATCH = 100;
/** As many as the origin takes on two cores without shedding any. */
const CONNECTIONS = 16;
const BATCH_CONNECTIONS = 2;
/** Limits that no load reaches: the measurement is of their check. */
const LIMITS = { perSecond: 1_000_000, burst: 10_000_000 };

export const benchSizing = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const worker = await measureWorker(cleanup);
    const origin = await measureOrigin(cleanup);
    const figures = {
      workerHitCpuUs: Math.round(worker.hit),
      workerColdCpuUs: Math.round(worker.cold),
      originHitCpuUs: Math.round(origin.hit),
      originColdCpuUs: Math.round(origin.cold),
      originBatchCpuUsPerList: Math.round(origin.batch),
    };
    const report = [
      `the worker: ${figures.workerHitCpuUs} us of CPU for a hit in its isolate, ${figures.workerColdCpuUs} us for a list that it fetches from an origin`,
      `an origin: ${figures.originHitCpuUs} us for a list in its memory, ${figures.originColdCpuUs} us for one that it reads from Bigtable, ${figures.originBatchCpuUsPerList} us for each list of a batch of ${BATCH} from Bigtable`,
      `  (medians of ${ROUNDS} rounds; lists of 2 KB)`,
    ];
    return { report: report.join('\n'), figures };
  });

/** Limits of callers are on, as in production. The cold reads are of users that no read has named before. */
async function measureWorker(cleanup: Cleanup): Promise<{ hit: number; cold: number }> {
  const rig = await createEdgeRig(cleanup);
  const variables = { RATE_LIMITS: 'on', LIMITS: JSON.stringify({ subject: LIMITS, address: LIMITS }) };
  const edge = await rig.startEdge({ variables });
  const coldAsks = await makeListAsks(makeUsers(COLD_READS * (ROUNDS + 1), rig.users.length));
  let next = 0;
  const subjects: Record<'hit' | 'cold', Subject> = {
    hit: { served: edge, count: HITS, askOf: (i) => rig.asks[i % rig.asks.length] ?? { path: '/' }, check: expectOk },
    cold: { served: edge, count: COLD_READS, askOf: () => coldAsks[next++] ?? { path: '/' }, check: expectOk },
  };
  await measureRound(subjects);
  const before = rig.origin.reads;
  const rounds: Readonly<Record<'hit' | 'cold', Cost>>[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureRound(subjects));
  const reads = rig.origin.reads - before;
  if (reads < COLD_READS * ROUNDS) throw new Error(`expected ${COLD_READS * ROUNDS} reads at the origin, got ${reads}`);
  await edge.stop();
  return { hit: median(rounds.map(({ hit }) => hit.micros)), cold: median(rounds.map(({ cold }) => cold.micros)) };
}

/** The cold reads are of an origin without memory for lists. */
async function measureOrigin(cleanup: Cleanup): Promise<{ hit: number; cold: number; batch: number }> {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), COLD_USERS);
  const token = await mintBenchToken();
  const keys = Array.from({ length: COLD_USERS }, (_, i) => makeKey(makeListener(i)));
  const single = keys.map((key) => makeListsRead(token, [key]));
  const batches = Array.from({ length: COLD_USERS / BATCH }, (_, i) =>
    makeListsRead(token, keys.slice(i * BATCH, (i + 1) * BATCH)),
  );
  const measure = async (
    env: Readonly<Record<string, string>>,
    requests: readonly string[],
    connections: number,
  ): Promise<number> => {
    const origin = await startOriginProcess(cleanup, { ...bigtable.env, ...env });
    const order = { port: origin.port, requests, connections, durationMs: 2_000, maxSamples: 1 };
    await runLoad({ ...order, warmUpMs: 1_000 });
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = cpuTimeMs(origin.pid);
      const report = await runLoad({ ...order, warmUpMs: 0 });
      if (report.failed > 0) throw new Error(`expected no failed read, got ${report.failed} of ${report.requests}`);
      costs.push((1000 * (cpuTimeMs(origin.pid) - before)) / report.requests);
    }
    await origin.stop();
    return median(costs);
  };
  return {
    hit: await measure({}, single.slice(0, 2_000), CONNECTIONS),
    cold: await measure({ EARSHOT_LIST_CACHE_BYTES: '0' }, single, CONNECTIONS),
    batch: (await measure({ EARSHOT_LIST_CACHE_BYTES: '0' }, batches, BATCH_CONNECTIONS)) / BATCH,
  };
}
