// /metrics of several processes on one port (node:cluster). Whichever worker is asked answers for all: it asks the primary, the primary
// asks every worker, sums, and answers. No figure may go down because a worker is late or gone, or Prometheus takes it for a restart and
// every rate jumps: what a worker counted last stays in the sums of counters and histograms. Its gauges do not.
//
// A scrape, as it goes: (1) worker A is asked and sends `ask`; (2) the primary sends `collect` to all that are connected, A among them;
// (3) each answers with its `snapshot`; (4) when all have, or the time is up, A gets the sum. Scrapes that come meanwhile share it.
// prom-client's own clusterMetrics would do (2) and (3), but fails altogether when one worker does not answer, and no worker can ask it.
import { AggregatorRegistry } from 'prom-client';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Exposition, Metrics, MetricsSnapshot } from './metrics.ts';

/** Of a worker's `process`. */
export interface PrimaryChannel {
  send?(message: unknown, callback: () => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** Of `node:cluster` in the primary. */
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

/** How long the primary waits for workers, and a worker for the primary. */
const COLLECT_TIMEOUT_MS = 1000;
const ASK_TIMEOUT_MS = 3000;

/**
 * To be called in a worker, once. Gives what answers /metrics for all workers; that rejects with `unavailable` when the primary does not
 * answer: figures of one worker alone would look like a restart.
 */
export function askPrimary(options: {
  readonly metrics: Pick<Metrics, 'snapshot'>;
  readonly channel: PrimaryChannel;
  readonly clock: Clock;
  /** In ms. Default: 3000 */
  readonly timeoutMs?: number;
}): () => Promise<Exposition> {
  const { metrics, channel, clock, timeoutMs = ASK_TIMEOUT_MS } = options;
  const asked = new Map<number, (sum: Exposition) => void>();
  let nextId = 0;

  channel.on('message', (message) => {
    if (!isMessage(message)) return;
    if (message.type === 'earshot:metrics:sum') asked.get(message.id)?.(message.sum);
    if (message.type === 'earshot:metrics:collect') answer(message.id).catch(stayOut);
  });

  async function answer(id: number): Promise<void> {
    const snapshot = keepFinite(await metrics.snapshot());
    channel.send?.({ type: 'earshot:metrics:snapshot', id, snapshot } satisfies Message, ignoreClosed);
  }

  return () =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      const end = (): void => {
        cancel();
        asked.delete(id);
      };
      const cancel = clock.setTimeout(() => {
        end();
        reject(new EarshotError('unavailable', 'origin', `the primary gave no metrics in ${timeoutMs} ms`));
      }, timeoutMs);
      asked.set(id, (sum) => {
        end();
        resolve(sum);
      });
      channel.send?.({ type: 'earshot:metrics:ask', id } satisfies Message, ignoreClosed);
    });
}

/** To be called in the primary, once, before workers are forked. Gives the sum over all workers, for a primary that is asked itself. */
export function collectFromWorkers(options: {
  readonly cluster: WorkerChannels;
  readonly clock: Clock;
  /** How long a worker may take, in ms; below that of askPrimary. Default: 1000 */
  readonly timeoutMs?: number;
}): () => Promise<Exposition> {
  const { cluster, clock, timeoutMs = COLLECT_TIMEOUT_MS } = options;
  /** The last that each worker told. */
  const latest = new Map<number, MetricsSnapshot>();
  /** The sum of what those told last that have gone. */
  let gone: MetricsSnapshot = [];
  let round: { readonly id: number; readonly missing: Set<number>; end(): void } | undefined;
  let collecting: Promise<Exposition> | undefined;
  let nextId = 0;

  cluster.on('message', (worker, message) => {
    if (!isMessage(message)) return;
    if (message.type === 'earshot:metrics:ask') answer(worker, message.id).catch(stayOut);
    if (message.type === 'earshot:metrics:snapshot') {
      // One that is late counts as the last that the worker told.
      latest.set(worker.id, message.snapshot);
      if (round?.id === message.id) round.missing.delete(worker.id);
      if (round?.missing.size === 0) round.end();
    }
  });
  cluster.on('exit', ({ id }) => {
    const last = latest.get(id);
    latest.delete(id);
    // As one sum, or processes that die and are replaced would leave more and more behind.
    if (last !== undefined) gone = sumOf([gone, countsOf(last)]).getMetricsAsArray() as unknown as MetricsSnapshot;
    round?.missing.delete(id);
    if (round?.missing.size === 0) round.end();
  });

  async function answer(worker: WorkerChannel, id: number): Promise<void> {
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
    const late = await askWorkers();
    const snapshots = [...latest].map(([id, snapshot]) => (late.has(id) ? countsOf(snapshot) : snapshot));
    // Those that are gone come last: the others say what a metric is called.
    const sum = sumOf([...snapshots, gone]);
    return { contentType: sum.contentType, body: await sum.metrics() };
  }

  /** Resolves with those that did not answer in time. */
  function askWorkers(): Promise<ReadonlySet<number>> {
    return new Promise((resolve) => {
      const connected = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
      const id = nextId++;
      const missing = new Set(connected.map((worker) => (worker as WorkerChannel).id));
      const unreachable = [...latest.keys()].filter((each) => !missing.has(each));
      const end = (): void => {
        cancel();
        round = undefined;
        resolve(new Set([...missing, ...unreachable]));
      };
      const cancel = clock.setTimeout(end, timeoutMs);
      round = { id, missing, end };
      for (const worker of connected)
        worker?.send({ type: 'earshot:metrics:collect', id } satisfies Message, ignoreClosed);
      if (missing.size === 0) end();
    });
  }

  return collect;
}

const sumOf = (snapshots: readonly MetricsSnapshot[]) => AggregatorRegistry.aggregate([...snapshots]);

/** What only ever grows. */
const countsOf = (snapshot: MetricsSnapshot): MetricsSnapshot =>
  snapshot.filter(({ type }) => String(type) === 'counter' || String(type) === 'histogram');

/** Messages between processes are JSON, which makes of what is no number a null, and of a sum with it nonsense. */
const keepFinite = (snapshot: MetricsSnapshot): MetricsSnapshot =>
  snapshot.map((metric) => ({ ...metric, values: metric.values.filter(({ value }) => Number.isFinite(value)) }));

/** Whoever asked is told by its time-out. */
const stayOut = (): void => {};

/** A process that has just gone gets no message; without this, sending one would be an error of the process that lives. */
const ignoreClosed = (): void => {};

const isMessage = (message: unknown): message is Message =>
  typeof message === 'object' &&
  message !== null &&
  String((message as { type?: unknown }).type).startsWith('earshot:metrics:');
