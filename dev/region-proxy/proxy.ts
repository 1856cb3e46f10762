// The way to a region's origin: a proxy before it that passes everything on, holds it back for as long as the distance
// takes, if that is wanted, and strikes with the fault that is set. A fault is what a caller's socket would meet:
// `down` closes the listening socket, a black hole takes connections and never answers, `reset` resets them. It strikes
// at connections and at what they ask from then on; an answer that has begun ends.
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { RegionFault } from '../../ops/fault/region-fault.ts';
import { expectedRoundTripMs } from '../../shared/domain/distance-prior.ts';
import { DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { DEFAULT_DEV_LOCATION, DEV_LOCATIONS } from '../topology.ts';
import { createPassOn } from './forward.ts';

const HOST = '127.0.0.1';

export interface RegionProxy {
  readonly name: string;
  fault(): RegionFault;
  /** Open connections in the black hole: nothing will be answered on them. */
  silenced(): number;
  /**
   * Replaces the fault; `{}` heals. Rejects, and the region stays down, when its port cannot be listened on any more.
   */
  setFault(fault: RegionFault): Promise<void>;
  /** Connections that are open are cut. */
  close(): Promise<void>;
}

export interface RegionProxyOptions {
  /** Port of this machine that everything is passed on to. */
  readonly targetPort: number;
  /** Whether each request is held back for the round trip from where its caller says it is. */
  readonly isFar: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** Listens where `region` has its origin. */
export async function startRegionProxy(region: Region, options: RegionProxyOptions): Promise<RegionProxy> {
  const { targetPort, isFar, clock, random } = options;
  const sockets = new Set<Socket>();
  /** Connections on which nothing will ever be answered. */
  const silenced = new Set<Socket>();
  let fault: RegionFault = {};
  let lastChange: Promise<void> = Promise.resolve();

  const silence = (socket: Socket): void => {
    if (!socket.destroyed) silenced.add(socket);
  };
  const wayMs = (incoming: IncomingMessage): number => (isFar ? roundTripMs(incoming, region) : 0);
  const onward = createPassOn({ targetPort, wayMs, fault: () => fault, silence, clock, random });

  // It listens on nothing itself: the sockets come from below, so that none of its time-outs ends what hangs.
  const http = createHttpServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    onward.pass(incoming, outgoing).catch(() => outgoing.destroy());
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
    // Whoever still waits in a black hole would wait for ever.
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
      onward.close();
    },
  };
}

/** From where the caller says it is; 0 for a place that nobody knows. */
function roundTripMs({ headers }: IncomingMessage, region: Region): number {
  const code = headers[DEV_LOCATION_HEADER.toLowerCase()];
  const place = DEV_LOCATIONS[String(code ?? DEFAULT_DEV_LOCATION)];
  return place === undefined ? 0 : expectedRoundTripMs(region, place);
}
