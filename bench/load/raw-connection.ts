// One kept-alive HTTP/1.1 connection with minimal CPU: load generators share the machine with the measured process.
// Content-Length delimits the answers.
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /**
   * Valid until the next request is sent. The memory is reused, because garbage collection takes CPU from the measured
   * process.
   */
  readonly body: Buffer;
}

export interface RawConnection {
  /** False after either side has closed the connection. */
  isOpen(): boolean;
  /** Sends a complete request and calls `done` with the answer or an error. One request at a time. */
  send(request: Buffer, done: (answer: RawAnswer | Error) => void): void;
  close(): void;
}

const HEADER_END = Buffer.from('\r\n\r\n');
/**
 * Shared by all connections: bytes are copied before the next read. A buffer per connection would become garbage when
 * connections open and close often.
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
        readChunk(Buffer.from(buffer.buffer, buffer.byteOffset, count));
        return true;
      },
    },
  });
  socket.setNoDelay(true);
  socket.on('error', (error) => finish(error));
  socket.on('close', () => finish(new Error('the connection was closed')));

  function finish(answer: RawAnswer | Error): void {
    const callback = done;
    done = undefined;
    callback?.(answer);
  }

  function readChunk(chunk: Buffer): void {
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
    send: (request, callback) => {
      // A closed socket emits no further events, not even for a failed write.
      if (!socket.writable) {
        callback(new Error('the connection had been closed'));
        return;
      }
      done = callback;
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
}
