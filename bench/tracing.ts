// CPU of a read with and without tracing, in the worker and in an origin: nothing recorded, 1 % of the reads, and all.
import { CONTROL_HOST, startControlListener } from '../dev/control-listener.ts';
import { createCollector } from '../dev/traces/collector.ts';
import { formatTraceparent } from '../shared/wire/traceparent.ts';
import { type Cost, measureRound, type Subject } from './edge/rounds.ts';
import { runLoad } from './load/load.ts';
import { expectOk, makeListAsks, makeUsers } from './rigs/edge-asks.ts';
import { createEdgeRig, type Served } from './rigs/edge-rig.ts';
import { makeListsRead, mintBenchToken, type OriginProcess, startOriginProcess } from './rigs/origin-process.ts';
import { startBigtable } from './rigs/processes.ts';
import { type Cleanup, withCleanup } from './support/cleanup.ts';
import { cpuTimeMs } from './support/cpu-time.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';
import { fillTable, makeKey, makeListener, tableAddress } from './support/table-data.ts';

const ROUNDS = 5;
const HITS = 4_000;
const COLD_READS = 1_000;
const USERS = 5_000;
const CONNECTIONS = 8;
const SLICE_MS = 1_500;
/** Reads of all users, so that memories and compiled code are warm. */
const WARM_UP_MS = 6_000;

export const benchTracing = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const collector = await startControlListener(createCollector(), 0);
    cleanup.add(collector.close);
    const url = `http://${CONTROL_HOST}:${collector.port}`;
    const worker = await measureWorker(cleanup, `${url}/v1/traces`);
    const hit = await measureOrigin(cleanup, url, {});
    const cold = await measureOrigin(cleanup, url, { EARSHOT_LIST_CACHE_BYTES: '0' });
    const report = [
      'CPU of a read, against the same read without tracing',
      `worker, a hit in its isolate (${worker.hitUs} us): 1 % recorded ${worker.hitOne}, all ${worker.hitAll}`,
      `worker, a list from an origin (${worker.coldUs} us): 1 % recorded ${worker.coldOne}, all ${worker.coldAll}`,
      `  (the platform records every request in all three; without its recording ${worker.coldBare} of a list from an origin)`,
      `origin, a list in its memory (${hit.offUs} us): none recorded ${hit.none}, 1 % ${hit.one}, all ${hit.all}`,
      `origin, a list from Bigtable (${cold.offUs} us): none recorded ${cold.none}, 1 % ${cold.one}, all ${cold.all}`,
      `  (medians of ${ROUNDS} rounds, the ways in turn)`,
    ];
    const named = (prefix: string, figures: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}.${name}`, value]));
    return {
      report: report.join('\n'),
      figures: { ...named('worker', worker), ...named('originHit', hit), ...named('originCold', cold) },
    };
  });

const round3 = (value: number): number => Math.round(value * 1000) / 1000;

/** Limits that no load reaches. */
const LIMITS = { perSecond: 1_000_000, burst: 10_000_000 };

/** The cost of recording and of the export is in the process of the worker: its tail consumer runs there, too. */
async function measureWorker(cleanup: Cleanup, tracesUrl: string) {
  const rig = await createEdgeRig(cleanup);
  const variables = { RATE_LIMITS: 'on', LIMITS: JSON.stringify({ subject: LIMITS, address: LIMITS }) };
  const start = (ratio: string, isTailed = true) =>
    rig.startEdge({ variables: { ...variables, TRACE_RATIO: ratio }, ...(isTailed ? { tracesUrl } : {}) });
  const workers = {
    bare: await start('0', false),
    off: await start('0'),
    one: await start('0.01'),
    all: await start('1'),
  };
  const coldAsks = await makeListAsks(makeUsers(COLD_READS * (ROUNDS + 1) * 4, rig.users.length));
  let next = 0;
  const hits = (served: Served): Subject => ({
    ...{ served, count: HITS, check: expectOk },
    askOf: (i) => rig.asks[i % rig.asks.length] ?? { path: '/' },
  });
  const colds = (served: Served): Subject => ({
    ...{ served, count: COLD_READS, check: expectOk },
    askOf: () => coldAsks[next++] ?? { path: '/' },
  });
  const { bare, off, one, all } = workers;
  const subjects = {
    ...{ hitOff: hits(off), hitOne: hits(one), hitAll: hits(all) },
    ...{ coldBare: colds(bare), coldOff: colds(off), coldOne: colds(one), coldAll: colds(all) },
  };
  await measureRound(subjects);
  const rounds: Readonly<Record<keyof typeof subjects, Cost>>[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measureRound(subjects));
  await Promise.all(Object.values(workers).map((worker) => worker.stop()));
  const usOf = (name: keyof typeof subjects): number => Math.round(median(rounds.map((each) => each[name].micros)));
  const ratio = (name: keyof typeof subjects, to: keyof typeof subjects): number =>
    round3(median(rounds.map((each) => each[name].micros / each[to].micros)));
  return {
    ...{ hitUs: usOf('hitOff'), hitOne: ratio('hitOne', 'hitOff'), hitAll: ratio('hitAll', 'hitOff') },
    ...{ coldUs: usOf('coldOff'), coldOne: ratio('coldOne', 'coldOff'), coldAll: ratio('coldAll', 'coldOff') },
    coldBare: ratio('coldBare', 'coldOff'),
  };
}

/** `none`: an origin that could record, and callers that record nothing. */
async function measureOrigin(cleanup: Cleanup, collectorUrl: string, env: Readonly<Record<string, string>>) {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
  const plain = await startOriginProcess(cleanup, { ...bigtable.env, ...env });
  const traced = await startOriginProcess(cleanup, {
    ...bigtable.env,
    ...env,
    OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
  });
  const token = await mintBenchToken();
  const requestsOf = (isRecorded: (i: number) => boolean): string[] =>
    Array.from({ length: USERS }, (_, i) => {
      const ids = [i + 1, i + 1].map((id, at) => id.toString(16).padStart(at === 0 ? 32 : 16, '0'));
      const traceparent = formatTraceparent(ids[0] ?? '', ids[1] ?? '', { isSampled: isRecorded(i) });
      return makeListsRead(token, [makeKey(makeListener(i))], { traceparent });
    });
  const ways: Record<'off' | 'none' | 'one' | 'all', { origin: OriginProcess; requests: string[] }> = {
    off: { origin: plain, requests: requestsOf(() => false) },
    none: { origin: traced, requests: requestsOf(() => false) },
    one: { origin: traced, requests: requestsOf((i) => i % 100 === 0) },
    all: { origin: traced, requests: requestsOf(() => true) },
  };
  for (const { origin, requests } of [ways.off, ways.all]) await costOf(origin, requests, WARM_UP_MS);
  const rounds: Record<keyof typeof ways, number>[] = [];
  const order = Object.entries(ways);
  for (let round = 0; round < ROUNDS; round++) {
    const costs: [string, number][] = [];
    for (const [name, { origin, requests }] of order) costs.push([name, await costOf(origin, requests, SLICE_MS)]);
    rounds.push(Object.fromEntries(costs) as Record<keyof typeof ways, number>);
    // Each round begins with another way.
    order.push(...order.splice(0, 1));
  }
  await Promise.all([plain.stop(), traced.stop()]);
  await bigtable.stop();
  const against = (name: keyof typeof ways): number => round3(median(rounds.map((each) => each[name] / each.off)));
  return {
    offUs: Math.round(median(rounds.map(({ off }) => off))),
    ...{ none: against('none'), one: against('one'), all: against('all') },
  };
}

/** Microseconds of CPU of the process for a request. */
async function costOf({ port, pid }: OriginProcess, requests: readonly string[], durationMs: number): Promise<number> {
  const before = cpuTimeMs(pid);
  const order = { port, requests, connections: CONNECTIONS, durationMs, maxSamples: 1, warmUpMs: 0 };
  const report = await runLoad(order);
  if (report.failed > 0) throw new Error(`expected no failed read, got ${report.failed} of ${report.requests}`);
  return (1000 * (cpuTimeMs(pid) - before)) / report.requests;
}
