// The readers of lists and items of one process, and the parts of the route that only hand on to them.
import type { Logger } from 'pino';
import type { LiveManifest } from '../shared/domain/effects/documents.ts';
import { EMPTY_MANIFEST } from '../shared/domain/manifest.ts';
import { createByteAccount } from '../shared/runtime/byte-account.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Counters } from '../shared/runtime/counters.ts';
import type { RecommendationTable } from './bigtable/recommendation-table.ts';
import type { OriginConfig } from './config.ts';
import { createBulkhead } from './guard/bulkhead.ts';
import { createConcurrencyLimit } from './guard/concurrency-limit.ts';
import { createCpuAdmission, type LoopLoad } from './guard/cpu-admission.ts';
import { createGuard } from './guard/guard.ts';
import type { ListsRouteDeps } from './http/lists-read.ts';
import { MAX_BYTES_UNDER_WAY } from './http/lists-read-body.ts';
import { describeRequest } from './http/request-id.ts';
import { createExpandLists } from './items/expanded-lists.ts';
import { createItemReader } from './items/item-reader.ts';
import { createListReader } from './lists/coalescing-reader.ts';
import { createListMemory } from './lists/list-memory.ts';
import { createTableLoad } from './lists/load-lists.ts';
import type { ManifestPoller } from './manifest/poller.ts';
import { createCohortCounter } from './metrics/cohorts.ts';
import type { Metrics } from './metrics/metrics.ts';
import { NO_TRACING, type Tracing } from './tracing/request-trace.ts';

export interface OriginSurroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Load of this process's event loop. */
  readonly loopLoad: () => LoopLoad;
  /** Default: no request is recorded. */
  readonly tracing?: Tracing;
}

/** The parts that most others need. */
export interface Basis extends OriginSurroundings {
  readonly config: OriginConfig;
  readonly counters: Counters;
  readonly metrics: Metrics;
}

/** The readers of lists and items behind one guard. */
export function assembleReaders(basis: Basis, table: RecommendationTable, manifests: ManifestPoller) {
  const { config, clock, loopLoad, counters, metrics } = basis;
  const admission = createCpuAdmission({ clock, loopLoad });
  const bulkhead = createBulkhead({
    clock,
    admittedShare: admission.admittedShare,
    limit: createConcurrencyLimit({ clock }),
    onShed: (reason, _weight, priority) => {
      admission.recordShed();
      metrics.shed(reason, priority);
    },
  });
  const { guard, retryAfterSeconds } = createGuard(bulkhead);
  const memory = createListMemory(config.listCacheBytes);
  const flightAgeMs = config.readTimeoutMs;
  const manifest = (): LiveManifest => manifests.latest()?.manifest ?? EMPTY_MANIFEST;
  const cohorts = createCohortCounter();
  const lists = createListReader({
    memory,
    guard,
    cohorts,
    load: createTableLoad({ table, manifest, clock, counters }),
    manifest,
    clock,
    counters,
    flightAgeMs,
  });
  const items = createItemReader({ maxBytes: config.itemCacheBytes, table, guard, clock, counters, flightAgeMs });
  return {
    admission,
    retryAfterSeconds,
    lists,
    items,
    cohorts: () => cohorts.sums(manifest()),
    state: () => {
      const { queued, executing, limit } = bulkhead.state();
      const caches = { lists: memory, items };
      return { queued, executing, concurrencyLimit: limit, flights: lists.flights(), caches };
    },
  };
}

type RouteDeps = Omit<
  ListsRouteDeps,
  'onResidence' | 'ownHeaders' | 'verifyCaller' | 'isDraining' | 'isLocalClusterUp' | 'onError'
>;

export function makeRouteDeps(
  { config, clock, logger, counters, metrics, tracing = NO_TRACING }: Basis,
  { admission, retryAfterSeconds, lists, items }: ReturnType<typeof assembleReaders>,
): RouteDeps {
  return {
    lists,
    expandLists: createExpandLists({ items, clock }),
    openTrace: tracing.open,
    readTimeoutMs: config.readTimeoutMs,
    admit: () => {
      const isAdmitted = admission.admit();
      if (!isAdmitted) metrics.shed('no_cpu', 'foreground');
      return isAdmitted;
    },
    clock,
    bodyMemory: createByteAccount({ clock, maxBytes: MAX_BYTES_UNDER_WAY }),
    onBodyShed: () => metrics.shed('no_body_memory', 'foreground'),
    counters,
    observe: (ms, outcome) => metrics.observeRead(ms / 1000, outcome),
    retryAfterSeconds,
    onRefused: (refused, { headers }) => logger.warn({ refused, ...describeRequest(headers) }, 'keys were refused'),
  };
}
