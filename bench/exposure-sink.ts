// Reads whose answers count as shown, while the queue of exposures takes them, is down, slow or full. It measures the
// latency of the reads, and checks that the counted losses are the exposures that the queue does not have.
import { mintToken } from '../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../shared/domain/identity.ts';
import type { EdgeStatus } from '../shared/wire/edge-status.ts';
import { type PhaseReport, runOpenLoad } from './load/open-load.ts';
import { TOKEN_SECRET } from './rigs/edge-asks.ts';
import { createEdgeRig, makeRegions, type Served } from './rigs/edge-rig.ts';
import { type ExposureQueue, QUEUE_STATES, type QueueState, startExposureQueue } from './rigs/exposure-queue.ts';
import { EXPERIMENTS, LIVE_SURFACES, startListOrigin } from './rigs/list-origin.ts';
import { type Cleanup, withCleanup } from './support/cleanup.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';

const ROUNDS = 3;
/** Each user is read twice: once from the origin, and once from the isolate. */
const USERS_PER_SECOND = 100;
const SECONDS: Readonly<Record<QueueState, number>> = { up: 20, down: 60, slow: 20, full: 20 };
const WARM_UP_SECONDS = 5;
/** The last sends have timed out by then. */
const SETTLED_MS = 15_000;
interface Measured extends PhaseReport {
  readonly users: number;
  readonly lost: number;
}

export const benchExposureSink = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const queue = await startExposureQueue();
    cleanup.add(queue.stop);
    const read = createReader(await startEdge(cleanup, queue), queue);
    await read('up', WARM_UP_SECONDS);
    const rounds: Record<QueueState, Measured>[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const round: Partial<Record<QueueState, Measured>> = {};
      // Each round begins with another state, so that none has always the same one before it.
      for (const state of [...QUEUE_STATES.slice(i), ...QUEUE_STATES.slice(0, i)])
        round[state] = await read(state, SECONDS[state]);
      rounds.push(round as Record<QueueState, Measured>);
    }
    return summarize(rounds);
  });

async function startEdge(cleanup: Cleanup, queue: ExposureQueue): Promise<Served> {
  const rig = await createEdgeRig(cleanup);
  const origin = await startListOrigin();
  cleanup.add(origin.stop);
  const surfaces = { home: { ...LIVE_SURFACES.home, exposure: 'served' as const } };
  origin.publish({ surfaces, experiments: EXPERIMENTS }, new Map());
  const variables = { REGIONS: makeRegions(origin.url), HASH_KEY: 'hash-key-for-benches-only-0123456789-abcdef' };
  return rig.startEdge({ variables, queues: { EXPOSURES: queue.address }, isQuiet: true });
}

function createReader({ port }: Served, queue: ExposureQueue) {
  let nextUser = 0;

  async function counters(): Promise<{ readonly sent: number; readonly lost: number }> {
    const headers = { authorization: `Bearer ${await mint('recs:status')}` };
    const response = await fetch(`http://127.0.0.1:${port}/internal/v1/status`, { headers });
    const { counters } = (await response.json()) as EdgeStatus;
    return { sent: counters.edge_exposures_total ?? 0, lost: counters.edge_exposures_lost_total ?? 0 };
  }

  /** The counters once they have each of `users`. */
  async function settled(before: { readonly sent: number; readonly lost: number }, users: number) {
    const untilMs = performance.now() + SETTLED_MS;
    for (;;) {
      const now = await counters();
      const [sent, lost] = [now.sent - before.sent, now.lost - before.lost];
      if (sent + lost === users) return { sent, lost };
      if (performance.now() > untilMs)
        throw new Error(`expected ${users} exposures to be sent or lost, got ${sent} and ${lost}`);
    }
  }

  return async (state: QueueState, seconds: number): Promise<Measured> => {
    const token = await mint('recs:read:any');
    const users = seconds * USERS_PER_SECOND;
    const requests = Array.from({ length: users }, () => {
      const text = `GET /v1/users/listener:${nextUser++}/recommendations/home HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n\r\n`;
      return [text, text];
    }).flat();
    queue.set(state);
    const [before, keptBefore] = [await counters(), queue.kept];
    const phases = [{ perSecond: 2 * USERS_PER_SECOND, durationMs: seconds * 1_000 }];
    const [report] = await runOpenLoad({ port, requests, maxConnections: 512, phases });
    if (report === undefined || report.failed + report.shed > 0)
      throw new Error(`expected no failed read while the queue is ${state}, got ${report?.failed} and ${report?.shed}`);
    const { sent, lost } = await settled(before, Math.ceil(report.ok / 2));
    if (queue.kept - keptBefore !== sent)
      throw new Error(`expected the queue to keep ${sent} exposures, got ${queue.kept - keptBefore}`);
    return { ...report, users: sent + lost, lost };
  };
}

const mint = (scope: Scope): Promise<string> =>
  mintToken({ user: 'bench', scope: [scope], audience: LISTENER_AUDIENCE, expires: 3_600_000 }, TOKEN_SECRET);

function summarize(rounds: readonly Readonly<Record<QueueState, Measured>>[]): BenchResult {
  const figures: Record<string, number> = {};
  const lines = QUEUE_STATES.map((state) => {
    const own = rounds.map((round) => round[state]);
    const users = own.reduce((sum, each) => sum + each.users, 0);
    const lost = own.reduce((sum, each) => sum + each.lost, 0);
    figures[`${state}P50Ms`] = round(median(own.map(({ p50Ms }) => p50Ms)));
    figures[`${state}P99Ms`] = round(median(own.map(({ p99Ms }) => p99Ms)));
    figures[`${state}LostShare`] = round(lost / users);
    const [least, most] = [Math.min(...own.map(({ p99Ms }) => p99Ms)), Math.max(...own.map(({ p99Ms }) => p99Ms))];
    return `the queue is ${state}: p50 ${figures[`${state}P50Ms`]} ms, p99 ${figures[`${state}P99Ms`]} ms (${round(least)} to ${round(most)}); of ${users} exposures ${lost} were counted as lost, and the queue has the others`;
  });
  const report = [
    ...lines,
    `  (medians of ${ROUNDS} rounds in turn, ${2 * USERS_PER_SECOND} reads/s, half of them hits)`,
  ];
  return { report: report.join('\n'), figures };
}

const round = (value: number): number => Number(value.toFixed(2));
