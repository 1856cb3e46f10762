// Everything that lives as long as the process, built once and wired together. Nothing here listens or polls yet.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { EMPTY_MANIFEST } from '../shared/domain/manifest.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { type Counters, createCounters } from '../shared/runtime/counters.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { grpcCodeOf } from './bigtable/bigtable-error.ts';
import { connectBigtable } from './bigtable/connection.ts';
import { createLocalCluster } from './bigtable/local-cluster.ts';
import { createManifestRead } from './bigtable/manifest-read.ts';
import type { CallObserver } from './bigtable/reads/key-read.ts';
import { createRecommendationTable, type RecommendationTable } from './bigtable/recommendation-table.ts';
import type { OriginConfig } from './config.ts';
import { createBulkhead } from './guard/bulkhead.ts';
import { createConcurrencyLimit } from './guard/concurrency-limit.ts';
import { createCpuAdmission, type LoopLoad } from './guard/cpu-admission.ts';
import { createGuard } from './guard/guard.ts';
import { createApp } from './http/app.ts';
import { createListsRoute, isListsRead, type ListsRouteDeps } from './http/lists-read.ts';
import { createCallerVerifier } from './http/verify-caller.ts';
import { createExpandLists } from './items/expanded-lists.ts';
import { createItemReader } from './items/item-reader.ts';
import { createListReader } from './lists/coalescing-reader.ts';
import { createListMemory } from './lists/list-memory.ts';
import { createTableLoad } from './lists/load-lists.ts';
import { createManifestPoller, type ManifestPoller } from './manifest/poller.ts';
import { askPrimary } from './metrics/cluster-metrics.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import type { WorkerPlace } from './workers/primary.ts';
import { readByOwner } from './workers/read-by-owner.ts';
import { chooseWorker, createSiblingLoad } from './workers/sibling-load.ts';
import { connectSiblings } from './workers/siblings.ts';

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export interface OriginParts {
  readonly table: RecommendationTable;
  readonly manifests: ManifestPoller;
  readonly counters: Counters;
  /** Answers the edge and whoever runs the process. */
  readonly listener: Listener;
  /** Answers the other processes of this origin. */
  readonly siblingListener: Listener;
  close(): Promise<void>;
}

export interface OriginSurroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How busy this process is. */
  readonly loopLoad: () => LoopLoad;
  /** Where this process stands among those on the same port. Default: it is the only one. */
  readonly place?: WorkerPlace | undefined;
}

export function assembleOrigin(
  config: OriginConfig,
  { clock, logger, loopLoad, place }: OriginSurroundings,
  isDraining: () => boolean,
): OriginParts {
  const counters = createCounters();
  // What it asks about is built below, long before anybody asks.
  const metrics = createMetrics({
    region: config.region,
    counters,
    state: () => {
      const { queued, executing, limit } = bulkhead.state();
      return {
        queued,
        executing,
        concurrencyLimit: limit,
        flights: lists.flights(),
        isLocalClusterUp: localCluster.isUp(),
        caches: { lists: memory, items },
      };
    },
  });
  const bigtable = connectBigtable(config.bigtable);
  const profiles = { appProfile: config.appProfile, otherProfile: config.hedgeProfile };
  const localCluster = createLocalCluster({
    clock,
    random: systemRandom,
    onChange: (isUp) => {
      if (!isUp) counters.add('origin_ejections_total');
      if (isUp) logger.info(profiles, 'the local cluster is back and read again');
      else logger.warn(profiles, 'the local cluster is ejected; all is read through the other profile');
    },
  });
  const table = createRecommendationTable({
    address: config.bigtable,
    appProfile: config.appProfile,
    hedgeProfile: config.hedgeProfile,
    localCluster,
    channels: config.channels,
    callsPerLane: config.callsPerLane,
    clock,
    observerOf: (name) => observeCalls(name, counters, metrics),
    onError: (err) => logger.warn({ err }, 'Bigtable failed'),
  });
  const readManifest = createManifestRead({ bigtable, ...profiles, localCluster, timeoutMs: config.readTimeoutMs });
  const manifests = createManifestPoller({
    read: async () => {
      const { manifest, cell } = await readManifest();
      return { manifest, json: cell === undefined ? JSON.stringify(manifest) : cell.json.toString('utf8') };
    },
    intervalMs: config.manifestPollMs,
    clock,
    counters,
    onError: (err) => logger.warn({ err }, 'the manifest could not be read'),
  });

  const siblings = place && connectSiblings(place.directory, place.index, place.count);
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
  const fromTable = createTableLoad({ table, clock, counters });
  const ownLists = createListReader({
    memory,
    guard,
    load: siblings === undefined ? fromTable : createSiblingLoad({ siblings, load: fromTable, guard, clock, counters }),
    // What another process reads has to find room there; were it to take room here too, two full processes could wait for each other.
    isGuarded: ({ user }) => place === undefined || chooseWorker(user, place.count) === place.index,
    manifest: () => manifests.latest()?.manifest ?? EMPTY_MANIFEST,
    clock,
    counters,
    flightAgeMs: config.readTimeoutMs,
  });
  const lists = siblings === undefined ? ownLists : readByOwner(ownLists, siblings.count);
  const items = createItemReader({
    maxBytes: config.itemCacheBytes,
    table,
    guard,
    clock,
    counters,
    flightAgeMs: config.readTimeoutMs,
  });
  const verifyCaller = createCallerVerifier(config.originSecret, clock);
  const route: Omit<ListsRouteDeps, 'counter' | 'verifyCaller'> = {
    lists,
    expandLists: createExpandLists({ items, clock }),
    readTimeoutMs: config.readTimeoutMs,
    isRefusedUnread: () => {
      const isRefused = !admission.admit();
      if (isRefused) metrics.shed('no_cpu', 'foreground');
      return isRefused;
    },
    isDraining,
    isLocalClusterUp: localCluster.isUp,
    clock,
    counters,
    observe: (ms, outcome) => metrics.observeRead(ms / 1000, outcome),
    retryAfterSeconds,
    onError: (err, { code }, { url, headers }) =>
      logger.error({ err, path: url, code, traceparent: headers.traceparent }, 'request failed'),
  };
  const readLists = createListsRoute({ ...route, verifyCaller, counter: 'origin_reads_total' });
  const readForSibling = createListsRoute({
    ...route,
    verifyCaller: Object.assign(async () => {}, { isKnown: () => true }),
    counter: 'origin_sibling_reads_total',
  });
  // Each process has counted its own part; the primary sums them.
  const exposeMetrics = place === undefined ? metrics.expose : askPrimary({ metrics, channel: process, clock });
  const app = createApp({ manifests, isWarm: table.isWarm, verifyCaller, isDraining, exposeMetrics, logger });
  const answerOthers = getRequestListener(app.fetch);

  return {
    table,
    manifests,
    counters,
    listener: (request, response) => {
      if (isListsRead(request)) readLists(request, response);
      else void answerOthers(request, response);
    },
    siblingListener: (request, response) => {
      if (isListsRead(request)) readForSibling(request, response);
      else response.writeHead(404).end();
    },
    close: async () => {
      manifests.stop();
      siblings?.close();
      await Promise.all([bigtable.close(), table.close()]);
    },
  };
}

const observeCalls = (table: string, counters: Counters, metrics: Metrics): CallObserver => ({
  onCall: (keys) => {
    counters.add('origin_bigtable_calls_total');
    counters.add('origin_bigtable_keys_total', keys);
  },
  onCallEnd: ({ keys, latencyMs, error }) => {
    if (error !== undefined) counters.add('origin_bigtable_failures_total');
    const code = grpcCodeOf(error?.cause);
    metrics.observeCall({
      table,
      keys,
      seconds: latencyMs / 1000,
      outcome: error === undefined ? 'ok' : error.code === 'deadline_exceeded' ? 'deadline' : 'error',
      ...(code === undefined ? {} : { code }),
    });
  },
  onRetry: () => counters.add('origin_retries_total'),
  onFailover: (keys) => counters.add('origin_failover_keys_total', keys),
  onHedge: metrics.hedge,
});
