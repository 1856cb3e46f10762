// One running origin: its parts wired together, listening, and drained when asked. It knows nothing of the process it runs in.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import { type Clock, pause } from '../shared/clock.ts';
import { type Counters, createCounters } from '../shared/counters.ts';
import { createApp } from './app.ts';
import { connectBigtable } from './bigtable/connection.ts';
import { readManifest } from './bigtable/manifest-row.ts';
import { createRecommendationTable } from './bigtable/recommendation-table.ts';
import type { OriginConfig } from './config.ts';
import { createCallerVerifier } from './identity.ts';
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
  const table = createRecommendationTable(bigtable, {
    appProfile: config.appProfile,
    onCall: () => counters.add('origin_bigtable_calls_total'),
    onError: (err) => {
      counters.add('origin_bigtable_failures_total');
      logger.warn({ err }, 'lists could not be read');
    },
  });
  const manifests = createManifestPoller({
    read: async () => {
      const { manifest, cell } = await readManifest(bigtable, config.appProfile, config.readTimeoutMs);
      return cell === undefined ? JSON.stringify(manifest) : cell.json.toString('utf8');
    },
    intervalMs: config.manifestPollMs,
    clock,
    counters,
    onError: (err) => logger.warn({ err }, 'the manifest could not be read'),
  });
  let draining = false;
  const app = createApp({
    table,
    manifests,
    verifyCaller: createCallerVerifier(config.originSecret, clock),
    readTimeoutMs: config.readTimeoutMs,
    isDraining: () => draining,
    counters,
    logger,
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(config.port, config.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host}:${port}`;
  await manifests.start();
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
      await bigtable.close();
      logger.info('drained');
    },
  };
}

/** Longer than a load balancer keeps its connections (Google's: 600 s), or it would send a request into one that is just being closed. */
const KEEP_ALIVE_MS = 620_000;
