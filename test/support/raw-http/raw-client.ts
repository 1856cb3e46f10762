// Sends bytes over sockets and reads the answers. HTTP clients refuse to send most broken requests.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Answer, AnswerReader } from './answer-reader.ts';

/** One request as the bytes that go over a socket. */
export interface RawRequest {
  readonly side: 'edge' | 'origin';
  /** One byte per character (latin1). */
  readonly bytes: string;
  readonly method: string;
  /** A well-formed HTTP/1.1 request, which is answered without more bytes. */
  readonly isWhole: boolean;
  /** The client closes its direction after the bytes: the server would wait for more. */
  readonly isCut: boolean;
}

/** The connection was closed before an answer. */
export interface Closed {
  readonly status: 'closed';
}

/**
 * A broken request may be an incomplete one, for which the server waits. Closing the client's direction after this time
 * ends the wait. It decides nothing: such a request may stay without an answer.
 */
const HALF_CLOSE_MS = 300;
/** Only ends a drill whose request is never answered. */
const TIMEOUT_MS = 120_000;

export interface RawClient {
  /** The first final answer. Rejects if none comes and the connection stays open. */
  send(request: RawRequest): Promise<Answer | Closed>;
  close(): void;
}

export function createRawClient(portOf: (side: RawRequest['side']) => number): RawClient {
  const idle = { edge: [] as Socket[], origin: [] as Socket[] };

  async function sendWhole(request: RawRequest): Promise<Answer | Closed> {
    const pool = idle[request.side];
    const kept = pool.pop();
    const socket = kept ?? (await open(portOf(request.side)));
    const answer = await exchange(socket, request);
    // A server may close a kept connection at any time: RFC 9112, section 9.3.1.
    if (answer.status === 'closed' && kept !== undefined) return sendWhole(request);
    if (answer.status !== 'closed' && answer.isReusable && socket.readyState === 'open') pool.push(socket);
    else socket.destroy();
    return answer;
  }

  async function sendBroken(request: RawRequest): Promise<Answer | Closed> {
    const socket = await open(portOf(request.side));
    try {
      return await exchange(socket, request);
    } finally {
      socket.destroy();
    }
  }

  return {
    send: (request) => (request.isWhole ? sendWhole(request) : sendBroken(request)),
    close: () => {
      for (const socket of [...idle.edge, ...idle.origin]) socket.destroy();
    },
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  // The end of a connection is seen by its exchange; an idle one is checked before its next use.
  socket.on('error', () => {});
  return socket;
}

async function exchange(socket: Socket, request: RawRequest): Promise<Answer | Closed> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer | Closed>();
  const reader = new AnswerReader(request.method === 'HEAD');
  const settle = (): void => resolve(reader.answer() ?? { status: 'closed' });
  const onData = (chunk: Buffer): void => {
    reader.push(chunk);
    if (reader.answer() !== undefined) settle();
  };
  const onEnd = (): void => {
    reader.end();
    settle();
  };
  const fail = (): void =>
    reject(new Error(`expected an answer within ${TIMEOUT_MS} ms, got ${reader.describe()} ${stateOf(socket)}`));
  const timers = [setTimeout(fail, TIMEOUT_MS)];
  if (!request.isWhole && !request.isCut) timers.push(setTimeout(() => socket.end(), HALF_CLOSE_MS));
  socket.on('data', onData).on('end', onEnd).on('close', onEnd);
  // A kept socket whose server has ended it tells so once, before this exchange. Nothing more would come of it.
  if (socket.readyState === 'open') socket[request.isCut ? 'end' : 'write'](Buffer.from(request.bytes, 'latin1'));
  else settle();
  try {
    return await promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
  }
}

const stateOf = ({ readyState, bytesWritten, writableLength }: Socket): string =>
  `on a socket that is ${readyState}, with ${bytesWritten} bytes written and ${writableLength} waiting`;
