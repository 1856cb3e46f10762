// One region proxy in front of an HTTP server that records requests and echoes their bodies.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import { type RegionProxy, startRegionProxy } from '../../../dev/region-proxy/proxy.ts';
import { DEV_LOCATION_HEADER, type Region } from '../../../shared/domain/regions.ts';
import { eventually } from '../../support/waiting.ts';

export interface ProxiedRegion {
  readonly region: Region;
  readonly proxy: RegionProxy;
  readonly clock: ManualClock;
  /** Requests that reached the server, for example `POST /some/path`. */
  readonly arrived: readonly string[];
  /** Number of requests that ended at the server, answered or not. */
  ended(): number;
  /** Answers wait for this promise. */
  holdAnswers(): { release(): void };
  /** Sends a request whose body the server echoes. */
  call(options?: { place?: string; body?: string; signal?: AbortSignal }): Promise<Response>;
  /** Opens a bare connection; resolves when it is accepted. */
  open(): Promise<Socket>;
  /** Resolves when a timer of the clock is pending. */
  held(): Promise<unknown>;
}

export async function startProxiedRegion({
  isFar = false,
  hasOrigin = true,
  chances = [],
}: {
  isFar?: boolean;
  hasOrigin?: boolean;
  /** The next random numbers; 0 after the last one. */
  chances?: number[];
} = {}): Promise<ProxiedRegion> {
  const clock = createManualClock();
  const arrived: string[] = [];
  let ended = 0;
  let held: Promise<void> = Promise.resolve();
  const server = createServer(async (incoming, outgoing) => {
    arrived.push(`${incoming.method} ${incoming.url}`);
    outgoing.once('close', () => {
      ended++;
    });
    await held;
    outgoing.writeHead(207, { 'x-path': incoming.url ?? '' });
    incoming.pipe(outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: targetPort } = server.address() as { port: number };
  if (!hasOrigin) {
    server.close();
    await once(server, 'close');
  }

  const [port = 0] = await findFreePorts(1);
  const origin = `http://127.0.0.1:${port}`;
  const region = { name: 'asia', origin, locationHint: 'apac', latitude: 1.35, longitude: 103.82 } as const;
  const random = (): number => chances.shift() ?? 0;
  const proxy = await startRegionProxy(region, { targetPort, isFar, clock, random });
  onTestFinished(async () => {
    await proxy.close();
    server.closeAllConnections();
    server.close();
  });

  return {
    region,
    proxy,
    clock,
    arrived,
    ended: () => ended,
    holdAnswers: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return { release: resolve };
    },
    call: ({ place, body = 'hello', signal } = {}) =>
      fetch(`${origin}/some/path?x=1`, {
        method: 'POST',
        body,
        headers: place === undefined ? {} : { [DEV_LOCATION_HEADER]: place },
        signal: signal ?? null,
      }),
    open: async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      onTestFinished(() => void socket.destroy());
      return socket;
    },
    held: () =>
      eventually(() => {
        if (clock.pending() === 0) throw new Error('nothing waits');
      }),
  };
}

/** The system's code of the error that `work` rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    return cause?.code ?? code;
  }
  return undefined;
}
