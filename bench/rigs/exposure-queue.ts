// The queue of exposures as workerd calls it: an HTTP service that keeps a message, or is down, slow or full.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export const QUEUE_STATES = ['up', 'down', 'slow', 'full'] as const;
export type QueueState = (typeof QUEUE_STATES)[number];

export interface ExposureQueue {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Exposures that were kept. */
  readonly kept: number;
  /**
   * `down` closes every connection without an answer, `slow` never answers, and `full` refuses, as Cloudflare does for
   * too high a rate.
   */
  set(state: QueueState): void;
  stop(): Promise<void>;
}

const SENT = JSON.stringify({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });

/** Listens on a free port of this machine. */
export async function startExposureQueue(): Promise<ExposureQueue> {
  let state: QueueState = 'up';
  let kept = 0;

  function answer(body: string, response: ServerResponse): void {
    if (state === 'slow') return;
    if (state === 'down') response.destroy();
    else if (state === 'full') response.writeHead(429).end('Too Many Requests');
    else {
      kept += (JSON.parse(body) as { exposures: readonly unknown[] }).exposures.length;
      response.writeHead(200, { 'content-type': 'application/json' }).end(SENT);
    }
  }

  const server = createServer((request, response) => {
    text(request).then(
      (body) => answer(body, response),
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get kept() {
      return kept;
    },
    set: (next) => {
      state = next;
      if (next !== 'slow') server.closeAllConnections();
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
