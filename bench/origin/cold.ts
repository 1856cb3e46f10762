// Single-user reads of one Bigtable without a cache, 64 concurrently: with the client's `table.row(key).get()`, and
// through the origin's table. The reference is bare gRPC with 100 keys per call, with one call at a time (about as many
// keys in flight) and with four. The ways alternate, each in a process of its own, so that the garbage of one
// (`row.get()` produces much) is not collected in the time of the next.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NODE_ARGS } from '../../origin/node-args.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { median } from '../support/statistics.ts';

export type ColdWay = 'naive' | 'table' | 'bare';

/** The number of reads, users per read (`size`), and concurrent reads. */
export interface ColdOrder {
  readonly reads: number;
  readonly size: number;
  readonly atOnce: number;
}

export interface ColdMeasure {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly keysPerCall: number;
}

export interface ColdReport {
  readonly naivePerSecond: number;
  readonly tablePerSecond: number;
  readonly barePerSecond: number;
  readonly speedup: number;
  readonly vsBare: number;
  readonly vsBareFour: number;
  readonly naiveP50Ms: number;
  readonly tableP99Ms: number;
  readonly keysPerCall: number;
}

/** Users in the table. */
export const COLD_USERS = 20_000;
const ROUNDS = 7;
/** The JIT compiles during the first two rounds. */
const WARM_UP_ROUNDS = 2;
const NAIVE: ColdOrder = { reads: 4_000, size: 1, atOnce: 64 };
const TABLE: ColdOrder = { reads: 40_000, size: 1, atOnce: 64 };
const BARE: ColdOrder = { reads: 40_000, size: 100, atOnce: 1 };
const BARE_FOUR: ColdOrder = { ...BARE, atOnce: 4 };

/** Each figure is the median of the rounds. */
export async function measureCold(cleanup: Cleanup, host: string): Promise<ColdReport> {
  const naive = await startReader(cleanup, 'naive', host);
  const table = await startReader(cleanup, 'table', host);
  const bare = await startReader(cleanup, 'bare', host);
  const results: ColdReport[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const slow = await naive.measure(NAIVE);
    const ours = await table.measure(TABLE);
    const one = await bare.measure(BARE);
    const four = await bare.measure(BARE_FOUR);
    if (round < WARM_UP_ROUNDS) continue;
    results.push({
      naivePerSecond: slow.perSecond,
      tablePerSecond: ours.perSecond,
      barePerSecond: one.perSecond,
      speedup: ours.perSecond / slow.perSecond,
      vsBare: ours.perSecond / one.perSecond,
      vsBareFour: ours.perSecond / four.perSecond,
      naiveP50Ms: slow.p50Ms,
      tableP99Ms: ours.p99Ms,
      keysPerCall: ours.keysPerCall,
    });
  }
  await Promise.all([naive.stop(), table.stop(), bare.stop()]);
  const names = Object.keys(results[0] ?? {}) as (keyof ColdReport)[];
  return Object.fromEntries(
    names.map((name) => [name, median(results.map((result) => result[name]))]),
  ) as unknown as ColdReport;
}

async function startReader(cleanup: Cleanup, way: ColdWay, host: string) {
  const child = fork(join(import.meta.dirname, 'cold-reader.ts'), [way, host], {
    execArgv: way === 'table' ? [...NODE_ARGS] : [],
  });
  const exited = once(child, 'exit');
  const failed = exited.then(([code]): never => {
    throw new Error(`expected a measure of ${way}, got the end of its process with exit code ${code}`);
  });
  failed.catch(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
  };
  cleanup.add(stop);
  const answer = async (): Promise<unknown> => (await Promise.race([once(child, 'message'), failed]))[0];
  await answer();
  return {
    measure: (order: ColdOrder): Promise<ColdMeasure> => {
      child.send(order);
      return answer() as Promise<ColdMeasure>;
    },
    stop,
  };
}
