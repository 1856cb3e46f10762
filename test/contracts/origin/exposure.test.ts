// An origin in front of callers that are not the edge: methods, headers, ports, and connections that send slowly, much
// or nothing.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { listen, MAX_HEADER_BYTES, type ServerBounds } from '../../../origin/http/bounded-server.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../shared/wire/read-request.ts';
import { eventually } from '../../support/waiting.ts';
import { MONDAY, startInstance } from './instance.ts';
import { mintOriginToken, runOrigin } from './running-origin.ts';

const bearer = async (clock: Parameters<typeof mintOriginToken>[0]) => `Bearer ${await mintOriginToken(clock)}`;

interface Received {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<unknown>;
}

async function openSocket(url: string): Promise<Received> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

test.each([
  ['GET', LISTS_READ_PATH, 405, 'POST'],
  ['PUT', LISTS_READ_PATH, 405, 'POST'],
  ['POST', MANIFEST_PATH, 405, 'GET, HEAD'],
  ['POST', '/livez', 405, 'GET, HEAD'],
  ['DELETE', '/readyz', 405, 'GET, HEAD'],
  ['HEAD', '/livez', 200, null],
  ['HEAD', MANIFEST_PATH, 200, null],
  ['POST', `${LISTS_READ_PATH}?x=1`, 404, null],
  ['GET', '/metrics', 404, null],
  ['GET', '/internal/v1/status', 404, null],
])('%s %s of a known caller is %i, with the allowed methods', async (method, path, status, allow) => {
  const { clock, origin } = await runOrigin(await startInstance());
  const response = await fetch(`${origin.url}${path}`, { method, headers: { authorization: await bearer(clock) } });
  expect([response.status, response.headers.get('allow')]).toEqual([status, allow]);
  if (status >= 400) expect(response.headers.get('content-type')).toBe('application/problem+json');
  if (method === 'HEAD') expect(await response.text()).toBe('');
});

test('every answer forbids caches and other media types, and names no software', async () => {
  const { clock, origin, readLists } = await runOrigin(await startInstance());
  const headers = { authorization: await bearer(clock) };
  const key = { surface: 'home', variant: 'control', generation: MONDAY, user: 'u:1' };
  const answers = [
    await readLists([key]),
    await readLists([]),
    await fetch(`${origin.url}${MANIFEST_PATH}`, { headers }),
    await fetch(`${origin.url}${MANIFEST_PATH}`),
    await fetch(`${origin.url}${LISTS_READ_PATH}`, { headers }),
    ...(await Promise.all(['/livez', '/readyz', '/nothing'].map((path) => fetch(`${origin.url}${path}`)))),
    ...(await Promise.all(['/metrics', '/livez', '/nothing'].map((path) => fetch(`${origin.metricsUrl}${path}`)))),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 401, 405, 200, 200, 404, 200, 200, 404]);
  for (const { url, headers: got } of answers) {
    expect([url, got.get('cache-control'), got.get('x-content-type-options')]).toEqual([url, 'no-store', 'nosniff']);
    expect([got.get('server'), got.get('x-powered-by')]).toEqual([null, null]);
  }
});

test('the port of the metrics serves nothing but metrics and health', async () => {
  const { clock, scrape, origin } = await runOrigin(await startInstance());
  expect((await scrape()).status).toBe(200);
  for (const path of [MANIFEST_PATH, LISTS_READ_PATH]) {
    const headers = { authorization: await bearer(clock) };
    expect((await fetch(`${origin.metricsUrl}${path}`, { method: 'POST', headers })).status).toBe(404);
  }
});

test.each([
  ['no token', '', 'Bearer'],
  ['a token of no form', 'Authorization: Bearer x\r\n', 'Bearer error="invalid_token"'],
  ['a token of an unknown key', 'Authorization: Bearer e30.e30.AAAA\r\n', 'Bearer error="invalid_token"'],
])(
  'a request with %s is 401 before its body, its connection closes, and it is counted',
  async (_what, header, challenge) => {
    const { clock, origin } = await runOrigin(await startInstance());
    const caller = await openSocket(origin.url);
    caller.socket.write(
      `POST ${LISTS_READ_PATH} HTTP/1.1\r\nHost: a\r\n${header}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    );
    await eventually(() => expect(caller.text()).toMatch(/^HTTP\/1\.1 401 .*unauthenticated/s));
    expect(caller.text()).toContain(`\r\nWWW-Authenticate: ${challenge}\r\n`);
    expect(caller.text()).toContain('\r\nConnection: close\r\n');
    clock.advance(1_000);
    await caller.closed;
    expect(origin.counters.get('origin_refused_callers_total')).toBe(1);
  },
);

test('a connection stays open for the edge alone', async () => {
  const { clock, origin } = await runOrigin(await startInstance());
  const connectionOf = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${origin.url}${path}`, { headers })).headers.get('connection');
  const authorization = await bearer(clock);
  expect(await connectionOf(MANIFEST_PATH, { authorization })).toBeNull();
  expect(await connectionOf('/livez')).toBe('close');
  expect(await connectionOf(MANIFEST_PATH)).toBe('close');
});

/** A bounded server alone. Its listener never answers, so that its bounds act. */
async function startBounded(bounds: Partial<ServerBounds>): Promise<{
  server: Server;
  url: string;
  count: (name: Parameters<ReturnType<typeof createCounters>['get']>[0]) => number;
}> {
  const counters = createCounters();
  const address = { host: '127.0.0.1', port: 0, reusePort: false };
  const server = await listen((request) => request.resume(), address, { maxConnections: 100, counters, ...bounds });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count: counters.get };
}

/** Long enough that only the time for heads acts. */
const LONG_MS = 60_000;
const SHORT = { headersTimeoutMs: 100, requestTimeoutMs: 200, checkEveryMs: 20 };

test.each([
  ['nothing', LONG_MS, ''],
  ['half a head', LONG_MS, 'GET / HTTP/1.1\r\nHost: a\r\n'],
  ['half a body', SHORT.requestTimeoutMs, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345'],
])('a connection that sends %s is closed in its time, with 408, and counted', async (_what, requestTimeoutMs, text) => {
  const { url, count } = await startBounded({ ...SHORT, requestTimeoutMs });
  const caller = await openSocket(url);
  caller.socket.write(text);
  await caller.closed;
  expect(caller.text()).toMatch(/^HTTP\/1\.1 408 .*X-Content-Type-Options: nosniff/s);
  expect(count('origin_timed_out_requests_total')).toBe(1);
});

test('a head beyond its bound is 431, one within it is read', async () => {
  const { url } = await startBounded(SHORT);
  const statusWith = async (length: number) => {
    const caller = await openSocket(url);
    caller.socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(length)}\r\n\r\n`);
    await eventually(() => expect(caller.text()).not.toBe(''));
    caller.socket.destroy();
    return /^HTTP\/1\.1 (\d+)/.exec(caller.text())?.[1];
  };
  expect(await statusWith(MAX_HEADER_BYTES)).toBe('431');
});

test('a connection beyond the bound is refused and counted, and there is room again after another has ended', async () => {
  const { url, count } = await startBounded({ maxConnections: 2 });
  const [first] = [await openSocket(url), await openSocket(url)];
  const third = await openSocket(url);
  await third.closed;
  expect(count('origin_dropped_connections_total')).toBe(1);
  first?.socket.destroy();
  await eventually(async () => {
    const dropped = count('origin_dropped_connections_total');
    const next = await openSocket(url);
    next.socket.write('x\r\n\r\n');
    await next.closed;
    expect([next.text().slice(0, 12), count('origin_dropped_connections_total')]).toEqual(['HTTP/1.1 400', dropped]);
  });
});
