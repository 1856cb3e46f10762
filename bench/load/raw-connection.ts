// One kept HTTP/1.1 connection, as cheap as Node can have it: load generators share the machine with what they measure.
// Answers are told apart by their Content-Length.
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /**
   * Until the next request is sent: its memory is used again, because collecting garbage takes CPU from what is
   * measured.
   */
  readonly body: Buffer;
}

export interface RawConnection {
  /** False once either side has closed it. */
  isOpen(): boolean;
  /** Sends a whole request; `done` is told the answer, or why there is none. One at a time. */
  send(request: Buffer, done: (answer: RawAnswer | Error) => void): void;
  close(): void;
}

const HEADER_END = Buffer.from('\r\n\r\n');
/**
 * Of all connections: what came is copied before another reads. A buffer for each would be collected whenever
 * connections come and go.
 */
const READ_BUFFER = Buffer.alloc(256 * 1024);

export function openRawConnection(port: number, onBytes: (count: number) => void = () => {}): RawConnection {
  let done: ((answer: RawAnswer | Error) => void) | undefined;
  let head: Buffer = Buffer.alloc(0);
  let space = Buffer.alloc(0);
  let body: Buffer | undefined;
  let filled = 0;
  let status = 0;
  const socket = connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer: READ_BUFFER,
      callback: (count, buffer) => {
        onBytes(count);
        take(Buffer.from(buffer.buffer, buffer.byteOffset, count));
        return true;
      },
    },
  });
  socket.setNoDelay(true);
  socket.on('error', (error) => finish(error));
  socket.on('close', () => finish(new Error('the connection was closed')));

  function finish(answer: RawAnswer | Error): void {
    const told = done;
    done = undefined;
    told?.(answer);
  }

  function take(chunk: Buffer): void {
    let rest = chunk;
    if (body === undefined) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const end = head.indexOf(HEADER_END);
      if (end === -1) {
        head = Buffer.from(head);
        return;
      }
      const text = head.toString('latin1', 0, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
      if (!Number.isInteger(length)) {
        socket.destroy(new Error(`expected an answer with its length, got ${text}`));
        return;
      }
      status = Number(text.slice(9, 12));
      if (space.length < length) space = Buffer.allocUnsafe(length);
      body = space.subarray(0, length);
      filled = 0;
      rest = head.subarray(end + HEADER_END.length);
      head = Buffer.alloc(0);
    }
    filled += rest.copy(body, filled);
    if (filled < body.length) return;
    const answer = { status, body };
    body = undefined;
    finish(answer);
  }

  return {
    isOpen: () => socket.writable,
    send: (request, told) => {
      // What has been closed says nothing more, not even that it cannot be written to.
      if (!socket.writable) {
        told(new Error('the connection had been closed'));
        return;
      }
      done = told;
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
}
