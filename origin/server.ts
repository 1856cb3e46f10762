// One running origin: it listens, and drains on request. It knows nothing of its process.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../shared/config/loopback.ts';
import { pause } from '../shared/runtime/clock.ts';
import type { Counters } from '../shared/runtime/counters.ts';
import { assembleOrigin } from './assemble.ts';
import type { OriginSurroundings } from './assemble-readers.ts';
import { describeProxy } from './bigtable/proxy.ts';
import type { OriginConfig } from './config.ts';
import { listen } from './http/bounded-server.ts';

export interface Origin {
  readonly url: string;
  /** Where the metrics are. Undefined without a port for them. */
  readonly metricsUrl: string | undefined;
  readonly counters: Counters;
  /** Fails readyz at once, and stops listening after the configured delay. Resolves after the last request. */
  drain(): Promise<void>;
}

/** Rejects if the address is not available. If Bigtable is not available, readyz fails until it is. */
export async function startOrigin(config: OriginConfig, surroundings: OriginSurroundings): Promise<Origin> {
  const { clock, logger } = surroundings;
  let draining = false;
  let coldReason: string | undefined;
  const parts = assembleOrigin(config, surroundings, { isDraining: () => draining, whyCold: () => coldReason });
  const { counters } = parts;
  const { host, maxConnections } = config;
  const server = await listen(parts.listener, config, { maxConnections, counters });
  const metricsServer = await listenForMetrics(parts, config);
  const servers = [server, ...(metricsServer === undefined ? [] : [metricsServer])];
  const url = urlOf(host, server);
  const metricsUrl = metricsServer === undefined ? undefined : urlOf(config.metricsHost, metricsServer);
  /** Resolves after the first attempt. A failed attempt is repeated. */
  const keepWarming = async (): Promise<void> => {
    try {
      await parts.table.warm();
    } catch (err) {
      coldReason = (err as Error).message;
      const proxy = config.bigtable.emulatorHost === undefined ? describeProxy(process.env) : undefined;
      logger.warn({ err, proxy }, 'the connections to Bigtable could not be primed');
      clock.setTimeout(() => {
        if (!draining) void keepWarming();
      }, WARM_RETRY_MS);
    }
  };
  await Promise.all([parts.manifests.start(), keepWarming()]);
  parts.heartbeat.start();
  parts.releases.start();
  if (!isLoopback(host))
    logger.warn(
      { host },
      'this address can be reached from other machines: let the worker alone reach it, by authenticated origin pulls or private ingress (docs/configuration.md)',
    );
  if (metricsUrl === undefined) logger.info('metrics are off: EARSHOT_METRICS_PORT is not set');
  logger.info({ url, metricsUrl, appProfile: config.appProfile }, 'listening');

  return {
    url,
    metricsUrl,
    counters,
    drain: async () => {
      draining = true;
      logger.info('draining');
      // Commands need not wait for this process any more.
      void parts.heartbeat.beat();
      await pause(clock, config.drainDelayMs);
      const closeAll = (): void => {
        for (const each of servers) each.closeAllConnections();
      };
      const cancelTimer = clock.setTimeout(closeAll, config.drainTimeoutMs);
      await Promise.all(servers.map(closeWhenIdle));
      cancelTimer();
      await parts.close();
      logger.info('drained');
    },
  };
}

/** Enough for a scraper, a probe and a person. */
const MAX_METRICS_CONNECTIONS = 100;

async function listenForMetrics(
  { metricsListener, counters }: ReturnType<typeof assembleOrigin>,
  { metricsHost, metricsPort }: OriginConfig,
): Promise<Server | undefined> {
  if (metricsPort === undefined) return undefined;
  const address = { host: metricsHost, port: metricsPort, reusePort: false };
  return listen(metricsListener, address, { maxConnections: MAX_METRICS_CONNECTIONS, counters });
}

const urlOf = (host: string, server: Server): string => {
  const name = host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${(server.address() as AddressInfo).port}`;
};

async function closeWhenIdle(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await closed;
}

const WARM_RETRY_MS = 1_000;
