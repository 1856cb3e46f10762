// What `/metrics` tells, in the form of Prometheus: the counters of shared/counters.ts, how long things take, and how things stand at the moment.
// docs/metrics.md lists all of it; a test holds the two together.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { COUNTERS, type CounterName, type Counters } from '../../shared/counters.ts';

export const PREFIX = 'earshot_';

export type ReadOutcome = 'ok' | 'shed' | 'failed' | 'refused';

/** How things stand: asked whenever metrics are. */
export interface MetricsState {
  /** Keys that wait for their turn, and keys that are being read. */
  readonly queued: number;
  readonly executing: number;
  /** The most keys that may be read at once now. */
  readonly limit: number;
  /** Rows that wait for a ReadRows call. */
  readonly tableWaiting: number;
  readonly flights: number;
  readonly caches: Readonly<Record<'lists' | 'items', { readonly bytes: number; readonly entries: number }>>;
}

export interface Metrics {
  readonly registry: Registry;
  /** A `lists:read` was answered. */
  observeRead(ms: number, outcome: ReadOutcome): void;
  /** A ReadRows call has ended; `code` is the name of its gRPC status, when it failed. */
  observeCall(call: { table: string; keys: number; ms: number; code?: string }): void;
  /** Keys were refused. */
  observeShed(reason: string, priority: string, keys: number): void;
}

const SECONDS_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const KEYS_BUCKETS = [1, 2, 5, 10, 20, 50, 100];

export function createMetrics(region: string, counters: Counters, state: () => MetricsState): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ region });
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  for (const name of Object.keys(COUNTERS) as CounterName[]) {
    if (!name.startsWith('origin_')) continue;
    new Counter({
      name: `${PREFIX}${name}`,
      help: COUNTERS[name],
      registers,
      collect() {
        this.reset();
        this.inc(counters.get(name));
      },
    });
  }

  const reads = new Histogram({
    name: `${PREFIX}origin_read_seconds`,
    help: 'time from the end of the body of a lists:read to its answer',
    labelNames: ['outcome'],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const calls = new Histogram({
    name: `${PREFIX}origin_bigtable_call_seconds`,
    help: 'time that ReadRows calls took, those that were let go of included',
    labelNames: ['table', 'outcome'],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const keys = new Histogram({
    name: `${PREFIX}origin_bigtable_call_keys`,
    help: 'row keys of a ReadRows call',
    labelNames: ['table'],
    buckets: KEYS_BUCKETS,
    registers,
  });
  const errors = new Counter({
    name: `${PREFIX}origin_bigtable_errors_total`,
    help: 'ReadRows calls that failed, by the gRPC status',
    labelNames: ['code'],
    registers,
  });
  const refused = new Counter({
    name: `${PREFIX}origin_refused_keys_total`,
    help: 'keys refused because the process had as much to do as it can, by why and by what they were for',
    labelNames: ['reason', 'priority'],
    registers,
  });
  const gauge = (name: string, help: string, value: (state: MetricsState) => number): void => {
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      registers,
      collect() {
        this.set(value(state()));
      },
    });
  };
  gauge('origin_queue_depth', 'keys that wait for their turn to be read', ({ queued }) => queued);
  gauge('origin_executing', 'keys that are being read', ({ executing }) => executing);
  gauge('origin_concurrency_limit', 'the most keys that may be read at once now', ({ limit }) => limit);
  gauge('origin_table_waiting', 'rows that wait for a ReadRows call', ({ tableWaiting }) => tableWaiting);
  gauge('origin_flights', 'keys whose load is under way and would be joined', ({ flights }) => flights);
  for (const [what, help] of [
    ['bytes', 'bytes of keys, values and bookkeeping in memory'],
    ['entries', 'entries in memory'],
  ] as const) {
    new Gauge({
      name: `${PREFIX}origin_cached_${what}`,
      help,
      labelNames: ['cache'],
      registers,
      collect() {
        for (const [cache, held] of Object.entries(state().caches)) this.set({ cache }, held[what]);
      },
    });
  }

  const readsBy = new Map<ReadOutcome, (seconds: number) => void>();
  return {
    registry,
    observeRead: (ms, outcome) => {
      // Looked up once: prom-client makes a key of the labels whenever it is given any.
      const known = readsBy.get(outcome);
      const observe = known ?? bind(reads.labels({ outcome }));
      if (known === undefined) readsBy.set(outcome, observe);
      observe(ms / 1000);
    },
    observeCall: ({ table, keys: count, ms, code }) => {
      calls.observe({ table, outcome: code === undefined ? 'ok' : 'failed' }, ms / 1000);
      keys.observe({ table }, count);
      if (code !== undefined) errors.inc({ code });
    },
    observeShed: (reason, priority, count) => refused.inc({ reason, priority }, count),
  };
}

const bind =
  (histogram: { observe(seconds: number): void }): ((seconds: number) => void) =>
  (seconds) =>
    histogram.observe(seconds);
