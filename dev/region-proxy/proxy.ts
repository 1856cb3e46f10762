// A proxy in front of a region's origin. It forwards every request and applies the current fault to the caller's
// socket: `down` closes the listening socket, a black hole accepts connections and never answers, `reset` resets them.
// An answer in progress ends normally. Optionally it delays requests by the caller's distance.
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { RegionFault } from '../../ops/fault/region-fault.ts';
import { expectedRoundTripMs } from '../../shared/domain/distance-prior.ts';
import { DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { DEFAULT_DEV_LOCATION, DEV_LOCATIONS } from '../topology.ts';
import { createForwarder } from './forward.ts';

const HOST = '127.0.0.1';

export interface RegionProxy {
  readonly name: string;
  fault(): RegionFault;
  /** Number of open connections in the black hole. */
  silenced(): number;
  /**
   * Replaces the fault; `{}` heals. Rejects if the port cannot be opened again; the region stays down then.
   */
  setFault(fault: RegionFault): Promise<void>;
  /** Closes all connections. */
  close(): Promise<void>;
}

export interface RegionProxyOptions {
  /** Port of the origin on this machine. */
  readonly targetPort: number;
  /** Whether to delay each request by the round trip from the caller's named location. */
  readonly isFar: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** Listens at the origin URL of `region`. */
export async function startRegionProxy(region: Region, options: RegionProxyOptions): Promise<RegionProxy> {
  const { targetPort, isFar, clock, random } = options;
  const sockets = new Set<Socket>();
  /** Connections in the black hole. */
  const silenced = new Set<Socket>();
  let fault: RegionFault = {};
  let lastChange: Promise<void> = Promise.resolve();

  const silence = (socket: Socket): void => {
    if (!socket.destroyed) silenced.add(socket);
  };
  const distanceMs = (incoming: IncomingMessage): number => (isFar ? roundTripMs(incoming, region) : 0);
  const forwarder = createForwarder({ targetPort, distanceMs, fault: () => fault, silence, clock, random });

  // It does not listen: `server` hands it sockets, so no timeout of its own ends a hanging connection.
  const http = createHttpServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    forwarder.forward(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      silenced.delete(socket);
    });
    socket.on('error', () => undefined);
    if (fault.down) socket.destroy();
    else if (fault.reset) socket.resetAndDestroy();
    else if (fault.blackHole) silence(socket.resume().once('end', () => socket.destroy()));
    else http.emit('connection', socket);
  });

  async function listen(): Promise<void> {
    server.listen(Number(new URL(region.origin).port), HOST);
    await once(server, 'listening');
  }

  async function stopListening(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  async function change(next: RegionFault): Promise<void> {
    // Connections in a black hole would wait for ever.
    for (const socket of silenced) socket.destroy();
    if (next.down) {
      fault = next;
      return stopListening();
    }
    if (!server.listening) await listen();
    fault = next;
    if (next.reset) for (const socket of sockets) socket.resetAndDestroy();
  }

  await listen();
  return {
    name: region.name,
    fault: () => fault,
    silenced: () => silenced.size,
    setFault: (next) => {
      const changed = lastChange.then(() => change(next));
      lastChange = changed.catch(() => undefined);
      return changed;
    },
    close: async () => {
      await lastChange;
      await stopListening();
      await forwarder.close();
    },
  };
}

/** From the caller's named location; 0 for an unknown one. */
function roundTripMs({ headers }: IncomingMessage, region: Region): number {
  const code = headers[DEV_LOCATION_HEADER.toLowerCase()];
  const place = DEV_LOCATIONS[String(code ?? DEFAULT_DEV_LOCATION)];
  return place === undefined ? 0 : expectedRoundTripMs(region, place);
}
