// /metrics of several processes on one port (node:cluster): a worker asks the primary, which sums the metrics of all
// workers. No counter goes down when a worker is late or gone, because Prometheus would take that for a restart: its
// last counters and histograms stay in the sum.
//
// A scrape: (1) worker A sends `ask`; (2) the primary sends `collect` to all connected workers; (3) each answers with a
// `snapshot`; (4) when all have, or at the time-out, A gets the `sum`. Concurrent scrapes share it. prom-client's
// clusterMetrics fails if one worker does not answer.
import { AggregatorRegistry } from 'prom-client';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Exposition, Metrics, MetricsSnapshot } from './metrics.ts';

/** The part of a worker's `process` that is used here. */
export interface PrimaryChannel {
  send?(message: unknown, callback: () => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** The part of the primary's `node:cluster` that is used here. */
export interface WorkerChannels {
  readonly workers?: NodeJS.Dict<WorkerChannel> | undefined;
  on(event: 'message', listener: (worker: WorkerChannel, message: unknown) => void): unknown;
  on(event: 'exit', listener: (worker: WorkerChannel) => void): unknown;
}

export interface WorkerChannel {
  readonly id: number;
  isConnected(): boolean;
  send(message: unknown, callback: () => void): unknown;
}

type Message =
  | { readonly type: 'earshot:metrics:ask'; readonly id: number }
  | { readonly type: 'earshot:metrics:collect'; readonly id: number }
  | { readonly type: 'earshot:metrics:snapshot'; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly type: 'earshot:metrics:sum'; readonly id: number; readonly sum: Exposition };

/** Milliseconds that the primary waits for workers, and a worker for the primary. */
const COLLECT_TIMEOUT_MS = 1000;
const ASK_TIMEOUT_MS = 3000;

/**
 * The metrics of all workers; call it once per worker. Rejects with `unavailable` if the primary does not answer: the
 * metrics of one worker would look like a restart.
 */
export function askPrimary(options: {
  readonly metrics: Pick<Metrics, 'snapshot'>;
  readonly channel: PrimaryChannel;
  readonly clock: Clock;
  /** Milliseconds. Default: 3000. */
  readonly timeoutMs?: number;
}): () => Promise<Exposition> {
  const { metrics, channel, clock, timeoutMs = ASK_TIMEOUT_MS } = options;
  const pending = new Map<number, (sum: Exposition) => void>();
  let nextId = 0;

  channel.on('message', (message) => {
    if (!isMessage(message)) return;
    if (message.type === 'earshot:metrics:sum') pending.get(message.id)?.(message.sum);
    if (message.type === 'earshot:metrics:collect') sendSnapshot(message.id).catch(ignoreError);
  });

  async function sendSnapshot(id: number): Promise<void> {
    const snapshot = keepFinite(await metrics.snapshot());
    channel.send?.({ type: 'earshot:metrics:snapshot', id, snapshot } satisfies Message, ignoreClosed);
  }

  return () =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      const stopWaiting = (): void => {
        cancelTimer();
        pending.delete(id);
      };
      const cancelTimer = clock.setTimeout(() => {
        stopWaiting();
        reject(new EarshotError('unavailable', 'origin', `no metrics from the primary in ${timeoutMs} ms`));
      }, timeoutMs);
      pending.set(id, (sum) => {
        stopWaiting();
        resolve(sum);
      });
      channel.send?.({ type: 'earshot:metrics:ask', id } satisfies Message, ignoreClosed);
    });
}

/** The sum over all workers; call it once in the primary, before workers are forked. */
export function collectFromWorkers(options: {
  readonly cluster: WorkerChannels;
  readonly clock: Clock;
  /** Maximum milliseconds for a worker, below those of askPrimary. Default: 1000. */
  readonly timeoutMs?: number;
}): () => Promise<Exposition> {
  const { cluster, clock, timeoutMs = COLLECT_TIMEOUT_MS } = options;
  /** The latest snapshot of each worker. */
  const latest = new Map<number, MetricsSnapshot>();
  /** The sum of the last snapshots of workers that have ended. */
  let gone: MetricsSnapshot = [];
  let round: { readonly id: number; readonly missing: Set<number>; finish(): void } | undefined;
  let collecting: Promise<Exposition> | undefined;
  let nextId = 0;

  cluster.on('message', (worker, message) => {
    if (!isMessage(message)) return;
    if (message.type === 'earshot:metrics:ask') sendSum(worker, message.id).catch(ignoreError);
    if (message.type === 'earshot:metrics:snapshot') {
      // A late snapshot is the worker's latest, too.
      latest.set(worker.id, message.snapshot);
      if (round?.id === message.id) round.missing.delete(worker.id);
      if (round?.missing.size === 0) round.finish();
    }
  });
  cluster.on('exit', ({ id }) => {
    const last = latest.get(id);
    latest.delete(id);
    // One sum, because processes may be replaced again and again.
    if (last !== undefined) gone = sumOf([gone, countsOf(last)]).getMetricsAsArray() as unknown as MetricsSnapshot;
    round?.missing.delete(id);
    if (round?.missing.size === 0) round.finish();
  });

  async function sendSum(worker: WorkerChannel, id: number): Promise<void> {
    const sum = await collect();
    if (worker.isConnected()) worker.send({ type: 'earshot:metrics:sum', id, sum } satisfies Message, ignoreClosed);
  }

  function collect(): Promise<Exposition> {
    collecting ??= collectOnce().finally(() => {
      collecting = undefined;
    });
    return collecting;
  }

  async function collectOnce(): Promise<Exposition> {
    const late = await collectSnapshots();
    const snapshots = [...latest].map(([id, snapshot]) => (late.has(id) ? countsOf(snapshot) : snapshot));
    // Last, because the first snapshot determines the help texts.
    const sum = sumOf([...snapshots, gone]);
    return { contentType: sum.contentType, body: await sum.metrics() };
  }

  /** Resolves to the workers that did not answer in time. */
  function collectSnapshots(): Promise<ReadonlySet<number>> {
    return new Promise((resolve) => {
      const connected = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
      const id = nextId++;
      const missing = new Set(connected.map((worker) => (worker as WorkerChannel).id));
      const unreachable = [...latest.keys()].filter((each) => !missing.has(each));
      const finish = (): void => {
        cancel();
        round = undefined;
        resolve(new Set([...missing, ...unreachable]));
      };
      const cancel = clock.setTimeout(finish, timeoutMs);
      round = { id, missing, finish };
      for (const worker of connected)
        worker?.send({ type: 'earshot:metrics:collect', id } satisfies Message, ignoreClosed);
      if (missing.size === 0) finish();
    });
  }

  return collect;
}

const sumOf = (snapshots: readonly MetricsSnapshot[]) => AggregatorRegistry.aggregate([...snapshots]);

/** The metrics that never go down. */
const countsOf = (snapshot: MetricsSnapshot): MetricsSnapshot =>
  snapshot.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram');

/** Messages between processes are JSON, which turns NaN into null. */
const keepFinite = (snapshot: MetricsSnapshot): MetricsSnapshot =>
  snapshot.map((metric) => ({ ...metric, values: metric.values.filter(({ value }) => Number.isFinite(value)) }));

/** The asking worker has a time-out. */
const ignoreError = (): void => {};

/** Sending to a process that has just ended would otherwise throw in this process. */
const ignoreClosed = (): void => {};

const isMessage = (message: unknown): message is Message =>
  typeof message === 'object' &&
  message !== null &&
  String((message as { type?: unknown }).type).startsWith('earshot:metrics:');
