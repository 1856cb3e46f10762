// Clients that open a connection, send a request or a part of it, and destroy the connection at a random moment.
import { once } from 'node:events';
import { connect } from 'node:net';

/** When the client goes: before its answer, in the middle of the answer, or in the middle of its own body. */
export const MOMENTS = ['before the answer', 'in the answer', 'in the body'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Requests {
  /** A request for a large answer that is not at hand. */
  readonly read: (index: number) => string;
  /** The head of a batch, which announces `bodyBytes`. */
  readonly batch: (index: number, bodyBytes: number) => string;
}

interface AbortOptions {
  readonly port: number;
  readonly requests: Requests;
  readonly index: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Longer than an answer takes, so that some clients go after the worker has begun to answer. */
const MAX_WAIT_MS = 60;
/** Below the size of a large answer. */
const MAX_READ_BYTES = 200_000;
const BODY_BYTES = 60_000;

interface Aborted {
  readonly moment: Moment;
  /** Bytes of the answer that had come. */
  readonly received: number;
}

/** Resolves when the connection is closed. */
export async function abortOnce({ port, requests, index, random }: AbortOptions): Promise<Aborted> {
  const moment = MOMENTS[index % MOMENTS.length] ?? 'before the answer';
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let received = 0;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const end = (): void => void socket.destroy();
  const enough = random() * MAX_READ_BYTES;
  socket.on('data', (chunk) => {
    received += chunk.length;
    if (moment === 'in the answer' && received >= enough) end();
  });
  if (moment === 'in the body') {
    socket.write(requests.batch(index, BODY_BYTES));
    socket.write(' '.repeat(Math.floor(random() * (BODY_BYTES - 1))));
  } else socket.write(requests.read(index));
  const timer = moment === 'in the answer' ? undefined : setTimeout(end, random() * MAX_WAIT_MS);
  await closed;
  clearTimeout(timer);
  return { moment, received };
}
