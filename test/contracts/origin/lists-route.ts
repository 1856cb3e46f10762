// The route `lists:read` alone on a free port, and callers of it.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createListsRoute } from '../../../origin/http/lists-read.ts';
import { MAX_BYTES_UNDER_WAY } from '../../../origin/http/lists-read-body.ts';
import { createOwnHeaders } from '../../../origin/http/own-headers.ts';
import type { ListReader } from '../../../origin/lists/coalescing-reader.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import type { ListKey } from '../../../shared/domain/keys.ts';
import { createByteAccount } from '../../../shared/runtime/byte-account.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { LISTS_READ_PATH } from '../../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../../shared/wire/read-response.ts';
import { MONDAY } from './instance.ts';

export const key = (user: string): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: MONDAY,
  user: toUserId(user),
});
export const framesOf = async (response: Response, count: number) =>
  decodeListFrames(new Uint8Array(await response.arrayBuffer()), count);

export const JSON_BODY = { 'content-type': 'application/json' };

/** The route alone on a free port, in front of a reader that answers `results`. */
export async function serveRoute(
  results: readonly ListResult[] = [],
  admit = () => true,
  tookMs = 0,
  maxBodyBytes = MAX_BYTES_UNDER_WAY,
) {
  const bodySheds: string[] = [];
  const clock = createManualClock();
  const bodyMemory = createByteAccount({ clock, maxBytes: maxBodyBytes });
  const counters = createCounters();
  const observed: string[] = [];
  const errors: unknown[] = [];
  const asked: object[] = [];
  const lists: ListReader = {
    read: async (queries) => {
      asked.push(...queries);
      clock.advance(tookMs);
      return [...results];
    },
    getCached: () => undefined,
    flights: () => 0,
  };
  const route = createListsRoute({
    ownHeaders: createOwnHeaders('test'),
    lists,
    expandLists: async (_queries, unexpanded) => unexpanded,
    verifyCaller: Object.assign(async () => {}, { isKnown: () => true }),
    readTimeoutMs: 1000,
    admit,
    bodyMemory,
    onBodyShed: () => bodySheds.push('shed'),
    isDraining: () => false,
    isLocalClusterUp: () => true,
    clock,
    counters,
    observe: (_ms, outcome) => observed.push(outcome),
    retryAfterSeconds: () => 7,
    onRefused: () => {},
    onError: (thrown) => errors.push(thrown),
  });
  const responses: ServerResponse[] = [];
  const server = createServer((request, response) => {
    responses.push(response);
    route(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const read = (count: number) => {
    const body = JSON.stringify({ keys: Array.from({ length: count }, (_, i) => key(`u:${i}`)) });
    return fetch(`http://127.0.0.1:${port}${LISTS_READ_PATH}`, { method: 'POST', body, headers: JSON_BODY });
  };
  return { asked, bodyMemory, bodySheds, clock, counters, errors, observed, port, read, responses, server };
}

/** A caller on a raw socket. `received` is all it has received. */
export async function openSocket(port: number) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed, received: () => received };
}

export const requestHead = (...headers: string[]) =>
  [`POST ${LISTS_READ_PATH} HTTP/1.1`, 'Host: origin', 'Content-Type: application/json', ...headers, '', ''].join(
    '\r\n',
  );
