// Forwards one request to a region's origin, and its answer back, under the fault of the moment.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type Dispatcher, Pool } from 'undici';
import type { RegionFault } from '../../ops/fault/region-fault.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { throttle } from './throttle.ts';

export interface ForwarderOptions {
  /** Port of the origin on this machine. */
  readonly targetPort: number;
  /** Delay of a request without a fault, in milliseconds. */
  readonly distanceMs: (incoming: IncomingMessage) => number;
  readonly fault: () => RegionFault;
  /** Keeps a connection open without ever answering on it. */
  readonly silence: (socket: Socket) => void;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Forwarder {
  /** Rejects if the origin does not answer, or the caller has disconnected. */
  forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void>;
  /** Closes the connections to the origin. */
  close(): Promise<void>;
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { targetPort, distanceMs, fault, silence, clock, random } = options;
  // No timeouts: a hanging origin has to look like one.
  const pool = new Pool(`http://127.0.0.1:${targetPort}`, { headersTimeout: 0, bodyTimeout: 0 });

  function faultDelayMs({ latencyMs = 0, latencyShare = 1, jitterMs }: RegionFault): number {
    if (latencyShare < 1 && random() >= latencyShare) return 0;
    return latencyMs + (jitterMs ? jitterMs * random() : 0);
  }

  function send(incoming: IncomingMessage, outgoing: ServerResponse): Promise<Dispatcher.ResponseData> {
    const { url: path = '/', method = 'GET', headers } = incoming;
    const disconnected = new AbortController();
    outgoing.once('close', () => disconnected.abort());
    const hasBody = 'content-length' in headers || 'transfer-encoding' in headers;
    const body = hasBody ? incoming : null;
    return pool.request({ path, method, headers: endToEnd(headers), body, signal: disconnected.signal });
  }

  async function answer(response: Dispatcher.ResponseData, outgoing: ServerResponse, socket: Socket): Promise<void> {
    const { statusCode, headers, body } = response;
    const { blackHole, dripBytesPerSecond } = fault();
    if (blackHole) {
      // The body ends with an error when it is destroyed.
      body.once('error', () => undefined).destroy();
      return silence(socket);
    }
    outgoing.writeHead(statusCode, endToEnd(headers));
    if (dripBytesPerSecond === undefined) return pipeline(body, outgoing);
    outgoing.flushHeaders();
    return pipeline(body, (source) => throttle(source, dripBytesPerSecond, clock), outgoing);
  }

  return {
    forward: async (incoming, outgoing) => {
      // A request whose body has been sent loses its socket.
      const { socket } = incoming;
      const delayMs = distanceMs(incoming) + faultDelayMs(fault());
      if (delayMs > 0) await pause(clock, delayMs);
      if (outgoing.destroyed) return;
      const { blackHole, errorShare } = fault();
      if (blackHole) {
        incoming.resume();
        return silence(socket);
      }
      if (errorShare !== undefined && random() < errorShare) {
        incoming.resume();
        outgoing.writeHead(500, { 'Content-Type': 'text/plain' }).end('injected\n');
        return;
      }
      await answer(await send(incoming, outgoing), outgoing, socket);
    },
    close: () => pool.destroy(),
  };
}

/** Headers of one connection, which a proxy does not forward (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect']);

const endToEnd = <T>(headers: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
