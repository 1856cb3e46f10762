// The cost of lists from an origin's memory: single reads beside a bare Hono route that answers the same bytes on the
// same HTTP server, and reads of 100 lists from two processes on one port.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DEFAULT_LIMIT } from '../../shared/domain/list.ts';
import { decodeListFrames } from '../../shared/wire/read-response.ts';
import { type LoadOrder, type LoadReport, runLoad } from '../load/load.ts';
import { makeListsRead, mintBenchToken, startOriginProcess } from '../rigs/origin-process.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { median } from '../support/statistics.ts';
import { makeKey, makeListener, makeListText } from '../support/table-data.ts';

const USERS = 2_000;
const BATCH = 100;
const BATCHES = 100;
export const ROUNDS = 7;
export const PROCESSES = 2;
const CONNECTIONS = 8;
const FILLS = 6;
const order: Omit<LoadOrder, 'port' | 'requests'> = {
  connections: CONNECTIONS,
  warmUpMs: 300,
  durationMs: 1_500,
  maxSamples: 100_000,
};

export interface HitFigures {
  readonly hitVsBare: number;
  readonly hitVsBareReading: number;
  readonly hitCpuUs: number;
  readonly bareCpuUs: number;
  readonly bareReadingCpuUs: number;
  readonly hitsPerSecond: number;
}

interface Server {
  readonly port: number;
  readonly pid: number;
}

/** Ratios of CPU time per answer, bare divided by ours: 1 is as cheap as bare. */
export async function measureHits(cleanup: Cleanup, env: Readonly<Record<string, string>>): Promise<HitFigures> {
  const origin = await startOriginProcess(cleanup, env);
  const token = await mintBenchToken();
  const requests = Array.from({ length: USERS }, (_, i) => makeListsRead(token, [makeKey(makeListener(i))]));
  const filled = await runLoad({ ...order, port: origin.port, requests });
  expectLists(filled, [makeListener(filled.firstIndex)]);
  const body = Buffer.from(filled.firstBody, 'latin1');
  const bare = await startBare(cleanup, body);
  const reading = await startBare(cleanup, body, '--read');
  const costs = { hit: [] as number[], bare: [] as number[], reading: [] as number[] };
  const perSecond: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const hit = await measure(origin, requests);
    perSecond.push(hit.perSecond);
    costs.hit.push(hit.cpuUs);
    costs.bare.push((await measure(bare, requests)).cpuUs);
    costs.reading.push((await measure(reading, requests)).cpuUs);
  }
  await origin.stop();
  const ratio = (of: readonly number[]): number => median(of.map((cpuUs, i) => cpuUs / (costs.hit[i] ?? 0)));
  return {
    hitVsBare: ratio(costs.bare),
    hitVsBareReading: ratio(costs.reading),
    hitCpuUs: median(costs.hit),
    bareCpuUs: median(costs.bare),
    bareReadingCpuUs: median(costs.reading),
    hitsPerSecond: median(perSecond),
  };
}

async function measure(
  { port, pid }: Server,
  requests: readonly string[],
): Promise<{ perSecond: number; cpuUs: number }> {
  const before = cpuTimeMs(pid);
  const report = await runLoad({ ...order, port, requests, warmUpMs: 0 });
  return { perSecond: perSecondOf(report), cpuUs: (1000 * (cpuTimeMs(pid) - before)) / report.requests };
}

async function startBare(cleanup: Cleanup, body: Buffer, ...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  cleanup.add(async () => {
    child.kill();
    await exited;
  });
  child.stdin.end(body);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(line.toString()), pid: child.pid ?? 0 };
}

export interface PointFigures {
  readonly dataPointsPerSecond: number;
  /** A fraction of one core. */
  readonly generatorCpuShare: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function measurePoints(cleanup: Cleanup, env: Readonly<Record<string, string>>): Promise<PointFigures> {
  const [port = 0] = await findFreePorts(1);
  const shared = { ...env, PORT: String(port), EARSHOT_REUSE_PORT: 'on' };
  const origins = await Promise.all(Array.from({ length: PROCESSES }, () => startOriginProcess(cleanup, shared)));
  const token = await mintBenchToken();
  const batches = Array.from({ length: BATCHES }, (_, b) =>
    Array.from({ length: BATCH }, (_, i) => makeListener((b * BATCH + i * 7) % USERS)),
  );
  const requests = batches.map((users) => makeListsRead(token, users.map(makeKey)));
  // One connection at a time, because a process that has just started would shed some of eight. The system assigns each
  // connection to one of the processes.
  for (let fill = 0; fill < FILLS; fill++) {
    const filled = await runLoad({ ...order, port, requests, connections: 1 });
    expectLists(filled, batches[filled.firstIndex] ?? []);
  }
  const reports: LoadReport[] = [];
  for (let round = 0; round < ROUNDS; round++) reports.push(await runLoad({ ...order, port, requests }));
  for (const origin of origins) await origin.stop();
  const middle = (of: (report: LoadReport) => number): number => median(reports.map(of));
  return {
    dataPointsPerSecond: middle((report) => perSecondOf(report) * BATCH * DEFAULT_LIMIT),
    generatorCpuShare: middle(({ cpuMs, durationMs }) => cpuMs / durationMs),
    megabytesPerSecond: middle(({ bytes, durationMs }) => bytes / durationMs / 1000),
    p50Ms: middle(({ p50Ms }) => p50Ms),
    p99Ms: middle(({ p99Ms }) => p99Ms),
  };
}

const perSecondOf = ({ requests, durationMs }: LoadReport): number => (1000 * requests) / durationMs;

/** Throws an Error unless the first answer holds the whole lists of `users`. */
function expectLists({ firstBody }: LoadReport, users: readonly string[]): void {
  for (const [i, result] of decodeListFrames(Buffer.from(firstBody, 'latin1'), users.length).entries()) {
    const text = result.kind === 'list' ? Buffer.from(result.bytes).toString() : result.kind;
    if (text !== makeListText(users[i] ?? ''))
      throw new Error(`expected the list of ${users[i]}, got ${text.slice(0, 80)}`);
  }
}
