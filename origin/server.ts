// One running origin: it listens, and drains on request. It knows nothing of its process.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause } from '../shared/runtime/clock.ts';
import type { Counters } from '../shared/runtime/counters.ts';
import { assembleOrigin, type Listener, type OriginSurroundings } from './assemble.ts';
import { describeProxy } from './bigtable/proxy.ts';
import type { OriginConfig } from './config.ts';

export interface Origin {
  readonly url: string;
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
  const server = await listen(parts.listener, config);
  const { host, metricsPort } = config;
  const own =
    metricsPort === undefined ? [] : [await listen(parts.listener, { host, port: metricsPort, reusePort: false })];
  const servers = [server, ...own];
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host}:${port}`;
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
  logger.info({ url, appProfile: config.appProfile }, 'listening');

  return {
    url,
    counters: parts.counters,
    drain: async () => {
      draining = true;
      logger.info('draining');
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

type Address = Pick<OriginConfig, 'host' | 'port' | 'reusePort'>;

async function listen(listener: Listener, { host, port, reusePort }: Address): Promise<Server> {
  const server = createServer(listener);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen({ host, port, reusePort });
  await once(server, 'listening');
  return server;
}

async function closeWhenIdle(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await closed;
}

const WARM_RETRY_MS = 1_000;

/**
 * Longer than Google's load balancer keeps a connection (600 s), which could otherwise use one that is being closed.
 */
const KEEP_ALIVE_MS = 620_000;
