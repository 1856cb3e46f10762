// Soak test: mixed load with faults (EARSHOT_SOAK_MINUTES, default 10). The load has cached, uncached, expanded and
// batched reads, refreshes and invalid requests; the cluster is slow, fails, cuts streams, is down or hangs in turn.
// Afterwards the origin must hold no more memory, sockets or timers than before.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { answersOk, waitUntil } from '../../dev/processes/wait.ts';
import { formatCount } from '../../ops/cli/format.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { type Phase, type PhaseReport, runOpenLoad } from '../load/open-load.ts';
import { BENCH_SECRET, makeListsRead, mintBenchToken } from '../rigs/origin-process.ts';
import { startBigtable } from '../rigs/processes.ts';
import { withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { fillTable, makeKey, makeListener, tableAddress } from '../support/table-data.ts';

export interface Held {
  readonly heapBytes: number;
  readonly sockets: number;
  readonly timers: number;
  /** Unhandled rejections and exceptions so far. */
  readonly unhandled: number;
}

const USERS = 20_000;
const REQUESTS = 4_000;
const PER_SECOND = 250;
const FAULT_MS = 5_000;
const DEFAULT_MINUTES = 10;
const FAULTS: readonly object[] = [
  {},
  { latencyMs: 200, latencyShare: 0.05 },
  { errorShare: 0.3 },
  { cutShare: 0.3 },
  { errorShare: 0.3, errorCode: 'RESOURCE_EXHAUSTED' },
  { errorShare: 0.2, errorCode: 'DEADLINE_EXCEEDED' },
  { blackHole: true },
  {},
  { down: true },
  { latencyMs: 50, jitterMs: 100 },
];

export const benchSoak = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const minutes = Number(process.env.EARSHOT_SOAK_MINUTES ?? DEFAULT_MINUTES);
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
    const child = fork(join(import.meta.dirname, 'soak-origin.ts'), {
      execArgv: ['--expose-gc'],
      env: {
        ...process.env,
        ...bigtable.env,
        EARSHOT_REGION: 'europe',
        EARSHOT_ORIGIN_SECRET: BENCH_SECRET,
        EARSHOT_DRAIN_DELAY_MS: '0',
        EARSHOT_DRAIN_TIMEOUT_MS: '2000',
        // Small enough to be full early, so that the caches do not count as growth.
        EARSHOT_LIST_CACHE_BYTES: '4000000',
        EARSHOT_ITEM_CACHE_BYTES: '1000000',
        PORT: '0',
        EARSHOT_METRICS_PORT: '0',
      },
    });
    const exited = once(child, 'exit');
    cleanup.add(async () => {
      child.kill('SIGTERM');
      await exited;
    });
    const [{ url, metricsUrl }] = (await once(child, 'message')) as [{ url: string; metricsUrl: string }];
    await waitUntil('the origin to be ready', () => answersOk(`${url}/readyz`), systemClock);
    const load = async (phase: Phase): Promise<PhaseReport> => {
      const [report] = await runOpenLoad({
        port: Number(new URL(url).port),
        // A token ends before the soak does.
        requests: makeRequests(await mintBenchToken()),
        maxConnections: 256,
        phases: [phase],
      });
      if (report === undefined) throw new Error('expected a report');
      return report;
    };
    const askHeld = async (): Promise<Held> => {
      // Work of cancelled callers ends at their deadline at the latest.
      await pause(4_000);
      child.send('held');
      const [held] = (await once(child, 'message')) as [Held];
      return held;
    };
    const setFault = async (fault: object): Promise<void> => {
      await fetch(`${bigtable.controlUrl}/clusters/europe/fault`, { method: 'PUT', body: JSON.stringify(fault) });
    };

    // Warm-up: all code compiled, all caches full, every fault applied once.
    await runFaults(setFault, () => load({ perSecond: PER_SECOND, durationMs: FAULT_MS }), FAULTS.length);
    const before = await askHeld();
    const rounds = Math.max(1, Math.round((minutes * 60_000) / FAULT_MS));
    const total = await runFaults(setFault, () => load({ perSecond: PER_SECOND, durationMs: FAULT_MS }), rounds);
    const after = await askHeld();
    const metrics = await (await fetch(`${metricsUrl}/metrics`)).text();
    const gauge = (name: string): number => Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(metrics)?.[1]);
    const left = ['earshot_origin_flights', 'earshot_origin_executing', 'earshot_origin_queue_depth'].map(gauge);

    const figures = {
      minutes,
      heapAfterVsBefore: round(after.heapBytes / before.heapBytes, 3),
      unhandledRejections: after.unhandled,
      leftUnderWay: left.reduce((sum, each) => sum + each, 0),
      socketsBefore: before.sockets,
      socketsAfter: after.sockets,
      timersBefore: before.timers,
      timersAfter: after.timers,
      answered: total.ok,
      refused: total.shed,
      failed: total.failed,
    };
    const report = [
      `${minutes} minutes of ${PER_SECOND} requests/s with faults: ${formatCount(total.ok)} answered in full, ${formatCount(total.shed)} with keys that failed, ${formatCount(total.failed)} otherwise`,
      `heap ${round(before.heapBytes / 1e6, 1)} MB before, ${round(after.heapBytes / 1e6, 1)} MB after: ${figures.heapAfterVsBefore}`,
      `sockets ${before.sockets} and ${after.sockets}, timers ${before.timers} and ${after.timers}; loads, reads and waiting left: ${left.join(', ')}; unhandled rejections: ${after.unhandled}`,
    ];
    return { report: report.join('\n'), figures };
  });

async function runFaults(
  setFault: (fault: object) => Promise<void>,
  load: () => Promise<PhaseReport>,
  rounds: number,
): Promise<{ ok: number; shed: number; failed: number }> {
  const total = { ok: 0, shed: 0, failed: 0 };
  for (let i = 0; i < rounds; i++) {
    await setFault(FAULTS[i % FAULTS.length] ?? {});
    const { ok, shed, failed } = await load();
    total.ok += ok;
    total.shed += shed;
    total.failed += failed;
  }
  await setFault({});
  return total;
}

/**
 * Requests for single lists and batches, hot and cold users, expanded lists, refreshes, unknown users, and invalid
 * requests.
 */
function makeRequests(token: string): string[] {
  const hot = (i: number): ListQuery => makeKey(makeListener(i % 500));
  const cold = (i: number): ListQuery => makeKey(makeListener((i * 7919) % USERS));
  return Array.from({ length: REQUESTS }, (_, i) => {
    switch (i % 8) {
      case 0:
      case 1:
        return makeListsRead(token, [hot(i)]);
      case 2:
        return makeListsRead(token, [cold(i)]);
      case 3:
        return makeListsRead(
          token,
          Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? hot(i + n) : cold(i + n))),
        );
      case 4:
        return makeListsRead(token, [{ ...hot(i), expand: 'items' }]);
      case 5:
        return makeListsRead(token, [{ ...hot(i), maxAgeMs: 0, isBackground: true }]);
      case 6:
        return makeListsRead(token, [makeKey(`stranger:${i}`)]);
      default:
        return i % 64 === 7 ? makeListsRead(token, []) : makeListsRead(token, [hot(i), hot(i), cold(i)]);
    }
  });
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
