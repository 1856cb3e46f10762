// The metrics of one origin process (Prometheus): the origin's counters of shared/runtime/counters.ts with the prefix
// `earshot_`, histograms and gauges. Label values come from short fixed lists, never from keys, users or messages. A
// test compares docs/metrics.md with them.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { COUNTERS, type CounterName, type Counters } from '../../shared/runtime/counters.ts';
import { statusNameOf } from '../bigtable/bigtable-error.ts';
import { PRIORITIES, type Priority, SHED_REASONS, type ShedReason } from '../guard/shed-error.ts';
import type { OpenRelease } from '../manifest/release-watch.ts';
import { type AddEdgeReport, registerEdgeTotals } from './edge-totals.ts';
import { createLabelledHistogram } from './labelled-histogram.ts';
import type { LiveAge } from './live-ages.ts';

export type ReadResult = 'ok' | 'shed' | 'deadline' | 'error';
export type CallResult = 'ok' | 'deadline' | 'error';
export type HedgeResult = 'won' | 'lost' | 'denied';
export type CacheName = 'lists' | 'items';

/** State at the moment of the scrape. */
export interface MetricsState {
  /** Keys queued in the bulkhead. */
  readonly queued: number;
  /** Keys in flight. */
  readonly executing: number;
  /** Maximum number of keys in flight. */
  readonly concurrencyLimit: number;
  /** Loads in flight. */
  readonly flights: number;
  /** Whether the cluster of this region is read. */
  readonly isLocalClusterUp: boolean;
  /** Version of the manifest that the process serves; 0 without one. */
  readonly manifestVersion: number;
  /** Polls of the manifest row in a row that brought no manifest. */
  readonly manifestFailedPolls: number;
  /** Publications under way. */
  readonly openReleases: readonly OpenRelease[];
  /** Seconds since the generation of the oldest live variant of each surface. */
  readonly liveAges: readonly LiveAge[];
  /** Regions that operators have marked as degraded. */
  readonly degradedRegions: readonly string[];
  readonly caches: Readonly<Record<CacheName, { readonly bytes: number; readonly entries: number }>>;
}

export interface ReadRowsReport {
  /** Short name of the table: `recommendations`, `items` or `control`. */
  readonly table: string;
  readonly keys: number;
  readonly seconds: number;
  readonly outcome: CallResult;
  /** google.rpc.Code of a failed call. Default: no error is counted. */
  readonly code?: number;
}

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

export interface Metrics {
  observeRead(seconds: number, outcome: ReadResult): void;
  observeCall(report: ReadRowsReport): void;
  shed(reason: ShedReason, priority: Priority): void;
  hedge(outcome: HedgeResult): void;
  readonly addEdgeReport: AddEdgeReport;
  /** The text of /metrics. */
  expose(): Promise<Exposition>;
  /** All exposed metrics. */
  describe(): { readonly name: string; readonly type: string; readonly labels: readonly string[] }[];
}

export interface MetricsOptions {
  /** Label of all metrics. */
  readonly region: string;
  readonly counters: Pick<Counters, 'get'>;
  readonly state: () => MetricsState;
  /** Adds prom-client's metrics of event loop, heap, garbage collection and process. Default: true. */
  readonly withProcess?: boolean;
}

const PREFIX = 'earshot_';
/** From a row in Bigtable's memory to the longest deadline; closest at the usual latencies. */
const SECONDS = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const KEYS = [1, 2, 5, 10, 20, 50, 100, 200];

const READ_RESULTS: readonly ReadResult[] = ['ok', 'shed', 'deadline', 'error'];
const HEDGE_RESULTS: readonly HedgeResult[] = ['won', 'lost', 'denied'];
const CACHES: readonly CacheName[] = ['lists', 'items'];

export function createMetrics(options: MetricsOptions): Metrics {
  const { region, counters, state, withProcess = true } = options;
  const registry = new Registry();
  registry.setDefaultLabels({ region });
  const registers = [registry];

  const readSeconds = createLabelledHistogram({
    name: `${PREFIX}origin_read_seconds`,
    help: 'duration of lists:read requests',
    label: 'outcome',
    labelValues: READ_RESULTS,
    buckets: SECONDS,
    registry,
  });
  const callSeconds = new Histogram({
    name: `${PREFIX}origin_bigtable_call_seconds`,
    help: 'duration of ReadRows calls',
    labelNames: ['table', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const callKeys = new Histogram({
    name: `${PREFIX}origin_bigtable_call_keys`,
    help: 'keys of a ReadRows call',
    buckets: KEYS,
    registers,
  });
  const errors = new Counter({
    name: `${PREFIX}origin_bigtable_errors_total`,
    help: 'failed ReadRows calls, by status',
    labelNames: ['code'],
    registers,
  });
  const shed = new Counter({
    name: `${PREFIX}origin_shed_total`,
    help: 'reads that were shed',
    labelNames: ['reason', 'priority'],
    registers,
  });
  const hedges = new Counter({
    name: `${PREFIX}origin_hedges_total`,
    help: 'hedges of slow ReadRows calls: won, lost, or denied by the budget',
    labelNames: ['outcome'],
    registers,
  });
  // Exposed at 0 from the start: Prometheus sees no increase in a metric that appears with its first event.
  for (const outcome of HEDGE_RESULTS) hedges.inc({ outcome }, 0);
  for (const reason of SHED_REASONS) for (const priority of PRIORITIES) shed.inc({ reason, priority }, 0);

  registerCounters(registry, counters);
  const addEdgeReport = registerEdgeTotals(registry, PREFIX);
  registerGauges(registry, state);
  if (withProcess) collectDefaultMetrics({ register: registry });

  return {
    addEdgeReport,
    observeRead: readSeconds.observe,
    observeCall: ({ table, keys, seconds, outcome, code }) => {
      callSeconds.observe({ table, outcome }, seconds);
      callKeys.observe(keys);
      if (code !== undefined) errors.inc({ code: statusNameOf(code) });
    },
    shed: (reason, priority) => shed.inc({ reason, priority }),
    hedge: (outcome) => hedges.inc({ outcome }),
    expose: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    describe: () => registry.getMetricsAsArray().map(describeMetric),
  };
}

/** Skips counters for which a metric with labels exists. */
function registerCounters(registry: Registry, counters: Pick<Counters, 'get'>): void {
  for (const [name, help] of Object.entries(COUNTERS) as [CounterName, string][]) {
    if (!name.startsWith('origin_') || registry.getSingleMetric(PREFIX + name) !== undefined) continue;
    new Counter({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(counters.get(name));
      },
    });
  }
}

function registerGauges(registry: Registry, state: () => MetricsState): void {
  const register = (name: string, help: string, labelNames: string[], set: (gauge: Gauge) => void): void => {
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        set(this);
      },
    });
  };
  const gauge = (name: string, help: string, read: () => number): void =>
    register(name, help, [], (each) => each.set(read()));
  gauge('origin_queue_depth', 'keys queued in the bulkhead', () => state().queued);
  gauge('origin_executing', 'keys in flight', () => state().executing);
  gauge('origin_concurrency_limit', 'maximum number of keys in flight', () => state().concurrencyLimit);
  gauge('origin_flights', 'loads in flight that requests may join', () => state().flights);
  gauge('origin_local_cluster_up', '1 if the process reads the cluster of its region, 0 if it has ejected it', () =>
    Number(state().isLocalClusterUp),
  );
  gauge('origin_manifest_version', 'version of the served manifest, 0 without one', () => state().manifestVersion);
  gauge(
    'origin_manifest_failed_polls',
    'polls of the manifest row in a row that failed, or found an invalid or older manifest',
    () => state().manifestFailedPolls,
  );
  register(
    'release_stalled_seconds',
    'seconds for which an open publication has stood still: its command is gone, or its ramp is paused',
    ['release', 'step'],
    (each) => {
      each.reset();
      for (const { line, step, stalledSeconds } of state().openReleases)
        each.set({ release: line, step }, stalledSeconds);
    },
  );
  register('live_generation_age_seconds', 'age of the oldest live generation of a surface', ['surface'], (each) => {
    each.reset();
    for (const { surface, seconds } of state().liveAges) each.set({ surface }, seconds);
  });
  register('degraded_region', '1 for each region that is marked as degraded', ['degraded'], (each) => {
    each.reset();
    for (const degraded of state().degradedRegions) each.set({ degraded }, 1);
  });
  const cacheGauge = (name: string, help: string, unit: 'bytes' | 'entries'): void =>
    register(name, help, ['cache'], (each) => {
      const { caches } = state();
      for (const cache of CACHES) each.set({ cache }, caches[cache][unit]);
    });
  cacheGauge('origin_cached_bytes', 'bytes in the memory caches', 'bytes');
  cacheGauge('origin_cached_entries', 'entries in the memory caches', 'entries');
}

/** prom-client's types omit the labels of its metrics. */
function describeMetric(metric: object): ReturnType<Metrics['describe']>[number] {
  const { name, type, labelNames } = metric as { name: string; type: string; labelNames: readonly string[] };
  return { name, type, labels: labelNames };
}
