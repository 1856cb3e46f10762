// An HTTP server with bounds on number, size and time of its connections: callers without a token cannot hold its
// memory. The edge's connections stay open between its calls.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Listener } from './app-listener.ts';

/** From the start of a connection, or of a further request on it, until its head has arrived. */
export const HEADERS_TIMEOUT_MS = 5_000;
/** The same until its body has arrived. A read's own time is shorter: EARSHOT_READ_TIMEOUT_MS. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** Interval at which both are checked. */
const CHECK_EVERY_MS = 1_000;
/** The head of a request of the edge has about 1 KB, and proxies on the way add some. */
export const MAX_HEADER_BYTES = 8 * 1024;
/**
 * Longer than Google's load balancer keeps a connection (600 s), which could otherwise use one that is being closed.
 */
const KEEP_ALIVE_MS = 620_000;

export interface ServerBounds {
  readonly maxConnections: number;
  readonly counters: Counters;
  /** Default: HEADERS_TIMEOUT_MS. */
  readonly headersTimeoutMs?: number;
  /** Default: REQUEST_TIMEOUT_MS. */
  readonly requestTimeoutMs?: number;
  /** Default: 1000. */
  readonly checkEveryMs?: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
}

/** Rejects if the address is not available. */
export async function listen(listener: Listener, address: Address, bounds: ServerBounds): Promise<Server> {
  const { maxConnections, counters } = bounds;
  const server = createServer(
    {
      headersTimeout: bounds.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      requestTimeout: bounds.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: bounds.checkEveryMs ?? CHECK_EVERY_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    listener,
  );
  server.maxConnections = maxConnections;
  server.on('drop', () => counters.add('origin_dropped_connections_total'));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') counters.add('origin_timed_out_requests_total');
    refuse(error, socket as HttpSocket);
  });
  server.listen({ ...address });
  await once(server, 'listening');
  return server;
}

/** Node's own field: the answer that is under way. */
type HttpSocket = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null };

/** The answer that Node itself gives, with the headers of every answer. */
function refuse({ code }: NodeJS.ErrnoException, socket: HttpSocket): void {
  if (!socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF[code ?? ''] ?? '400 Bad Request';
  const headers = 'Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n';
  socket.write(`HTTP/1.1 ${status}\r\n${headers}Content-Length: 0\r\n\r\n`);
  socket.destroySoon();
}

const STATUS_OF: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};
