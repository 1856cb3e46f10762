// One running origin: its parts wired together, listening, and drained when asked. It knows nothing of the process it runs in.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { type Clock, pause } from '../shared/clock.ts';
import { type Counters, createCounters } from '../shared/counters.ts';
import { EMPTY_MANIFEST } from '../shared/manifest.ts';
import { createApp } from './app.ts';
import { connectBigtable } from './bigtable/connection.ts';
import { readManifest } from './bigtable/manifest-row.ts';
import type { CallObserver } from './bigtable/reads/key-read.ts';
import { createRecommendationTable, type RecommendationTable } from './bigtable/recommendation-table.ts';
import type { OriginConfig } from './config.ts';
import { createCallerVerifier } from './identity.ts';
import { createExpandLists } from './items/expanded-lists.ts';
import { createItemReader } from './items/item-reader.ts';
import { createListMemory } from './lists/list-memory.ts';
import { createListReader, type Guard } from './lists/list-reader.ts';
import { createListsRoute, isListsRead } from './lists-route.ts';
import { createManifestPoller } from './manifest-poller.ts';

export interface Origin {
  readonly url: string;
  readonly counters: Counters;
  /** readyz says no at once; after the configured delay no connection is taken; resolves when the last request is answered or cut off. */
  drain(): Promise<void>;
}

/** Rejects when the address cannot be listened on. A Bigtable that cannot be reached is no reason: readyz says no until it can. */
export async function startOrigin(
  config: OriginConfig,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<Origin> {
  const counters = createCounters();
  const bigtable = connectBigtable(config.bigtable);
  const table = createRecommendationTable({
    address: config.bigtable,
    appProfile: config.appProfile,
    hedgeProfile: config.hedgeProfile,
    channels: config.channels,
    callsPerLane: config.callsPerLane,
    clock,
    observerOf: () => observeCalls(counters),
    onError: (err) => logger.warn({ err }, 'a read of Bigtable was given up'),
  });
  const manifests = createManifestPoller({
    read: async () => {
      const { manifest, cell } = await readManifest(bigtable, config.appProfile, config.readTimeoutMs);
      return { manifest, json: cell === undefined ? JSON.stringify(manifest) : cell.json.toString('utf8') };
    },
    intervalMs: config.manifestPollMs,
    clock,
    counters,
    onError: (err) => logger.warn({ err }, 'the manifest could not be read'),
  });
  const guard: Guard = (ask, work) => work(ask.timeoutMs);
  const lists = createListReader({
    memory: createListMemory(config.listCacheBytes),
    table,
    guard,
    manifest: () => manifests.latest()?.manifest ?? EMPTY_MANIFEST,
    clock,
    counters,
    flightAgeMs: config.readTimeoutMs,
  });
  const items = createItemReader({
    maxBytes: config.itemCacheBytes,
    table,
    guard,
    clock,
    counters,
    flightAgeMs: config.readTimeoutMs,
  });
  let draining = false;
  const verifyCaller = createCallerVerifier(config.originSecret, clock);
  const isDraining = (): boolean => draining;
  const app = createApp({ manifests, isWarm: table.isWarm, verifyCaller, isDraining, logger });
  const answerOthers = getRequestListener(app.fetch);
  const readLists = createListsRoute({
    lists,
    expandLists: createExpandLists({ items, clock }),
    verifyCaller,
    readTimeoutMs: config.readTimeoutMs,
    isDraining,
    clock,
    counters,
    onError: (err, { code }, { url, headers }) =>
      logger.error({ err, path: url, code, traceparent: headers.traceparent }, 'request failed'),
  });
  const server = createServer((request, response) => {
    if (isListsRead(request)) readLists(request, response);
    else void answerOthers(request, response);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host}:${port}`;
  const warming = keepWarming(table, clock, logger, () => draining);
  await Promise.all([manifests.start(), warming]);
  logger.info({ region: config.region, url, appProfile: config.appProfile }, 'listening');

  return {
    url,
    counters,
    drain: async () => {
      draining = true;
      logger.info('draining');
      await pause(clock, config.drainDelayMs);
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const cancel = clock.setTimeout(() => server.closeAllConnections(), config.drainTimeoutMs);
      await closed;
      cancel();
      manifests.stop();
      await Promise.all([bigtable.close(), table.close()]);
      logger.info('drained');
    },
  };
}

/** Resolves after the first attempt; those that fail are repeated until one does not. */
async function keepWarming(
  table: RecommendationTable,
  clock: Clock,
  logger: Logger,
  isOver: () => boolean,
): Promise<void> {
  try {
    await table.warm();
  } catch (err) {
    logger.warn({ err }, 'the connections to Bigtable could not be primed');
    clock.setTimeout(() => {
      if (!isOver()) void keepWarming(table, clock, logger, isOver);
    }, WARM_AGAIN_MS);
  }
}

const WARM_AGAIN_MS = 1_000;

const observeCalls = (counters: Counters): CallObserver => ({
  onCall: (keys) => {
    counters.add('origin_bigtable_calls_total');
    counters.add('origin_bigtable_keys_total', keys);
  },
  onCallEnd: ({ error }) => {
    if (error !== undefined) counters.add('origin_bigtable_failures_total');
  },
  onRetry: () => counters.add('origin_retries_total'),
  onHedge: (outcome) => {
    counters.add(outcome === 'denied' ? 'origin_hedges_denied_total' : 'origin_hedges_total');
    if (outcome === 'won') counters.add('origin_hedges_won_total');
  },
});

/** Longer than a load balancer keeps its connections (Google's: 600 s), or it would send a request into one that is just being closed. */
const KEEP_ALIVE_MS = 620_000;
