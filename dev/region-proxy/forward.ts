// One request on its way to a region's origin, and its answer on the way back, with what the fault of that moment does
// to either.
import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { RegionFault } from '../../ops/fault/region-fault.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { drip } from './throttle.ts';

export interface PassOnOptions {
  /** Port of this machine that everything is passed on to. */
  readonly targetPort: number;
  /** What holds a request back when there is no fault, in milliseconds. */
  readonly wayMs: (incoming: IncomingMessage) => number;
  readonly fault: () => RegionFault;
  /** Takes a connection on which nothing will ever be answered. */
  readonly silence: (socket: Socket) => void;
  readonly clock: Clock;
  readonly random: Random;
}

export interface PassOn {
  /** Rejects when there is no origin to answer, or the caller has gone. */
  pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void>;
  /** Lets go of the connections to the origin. */
  close(): void;
}

export function createPassOn({ targetPort, wayMs, fault, silence, clock, random }: PassOnOptions): PassOn {
  const agent = new Agent({ keepAlive: true });

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const delayMs = wayMs(incoming) + faultDelayMs(fault());
    if (delayMs > 0) await pause(clock, delayMs);
    if (outgoing.destroyed) return;
    const { blackHole, errorShare } = fault();
    if (blackHole) return silence(incoming.resume().socket);
    if (errorShare !== undefined && random() < errorShare) {
      incoming.resume();
      outgoing.writeHead(500, { 'Content-Type': 'text/plain' }).end('injected\n');
      return;
    }
    await answer(await ask(incoming, outgoing), outgoing, incoming.socket);
  }

  function faultDelayMs({ latencyMs = 0, latencyShare = 1, jitterMs }: RegionFault): number {
    if (latencyShare < 1 && random() >= latencyShare) return 0;
    return latencyMs + (jitterMs ? jitterMs * random() : 0);
  }

  async function ask(incoming: IncomingMessage, outgoing: ServerResponse): Promise<IncomingMessage> {
    const { url, method, headers } = incoming;
    const target = request({ host: '127.0.0.1', port: targetPort, path: url, method, headers, agent });
    outgoing.once('close', () => target.destroy());
    incoming.pipe(target);
    const [response] = (await once(target, 'response')) as [IncomingMessage];
    target.on('error', () => outgoing.destroy());
    return response;
  }

  async function answer(response: IncomingMessage, outgoing: ServerResponse, socket: Socket): Promise<void> {
    const { blackHole, dripBytesPerSecond } = fault();
    if (blackHole) {
      response.destroy();
      return silence(socket);
    }
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    if (dripBytesPerSecond === undefined) return pipeline(response, outgoing);
    outgoing.flushHeaders();
    return pipeline(response, (source) => drip(source, dripBytesPerSecond, clock), outgoing);
  }

  return { pass, close: () => agent.destroy() };
}
