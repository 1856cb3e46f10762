// The route `lists:read` on a real HTTP server, without the rest of an origin: sheds, bodies that break off or never
// end, ages, and lists with their items.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createListsRoute } from '../../../origin/http/lists-read.ts';
import { LINGER_MS } from '../../../origin/http/lists-read-answer.ts';
import { type BodyMemory, createBodyMemory, MAX_BODY_BYTES } from '../../../origin/http/lists-read-body.ts';
import type { ListReader } from '../../../origin/lists/coalescing-reader.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import { FAMILIES, JSON_QUALIFIER, type ListKey, makeItemRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { LISTS_READ_PATH } from '../../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../../shared/wire/read-response.ts';
import { eventually } from '../../support/waiting.ts';
import { MONDAY, manifestOf, startInstance, writeCell, writeList, writeManifestCell } from './instance.ts';
import { mintOriginToken, runOrigin } from './running-origin.ts';

const key = (user: string): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: MONDAY,
  user: toUserId(user),
});
const framesOf = async (response: Response, count: number) =>
  decodeListFrames(new Uint8Array(await response.arrayBuffer()), count);

const JSON_BODY = { 'content-type': 'application/json' };

/** The route alone on a free port, in front of a reader that answers `results`. */
async function serveRoute(
  results: readonly ListResult[] = [],
  admit = () => true,
  tookMs = 0,
  bodyMemory: BodyMemory = createBodyMemory(),
) {
  const bodySheds: string[] = [];
  const clock = createManualClock();
  const counters = createCounters();
  const observed: string[] = [];
  const errors: unknown[] = [];
  const lists: ListReader = {
    read: async () => {
      clock.advance(tookMs);
      return [...results];
    },
    getCached: () => undefined,
    flights: () => 0,
  };
  const route = createListsRoute({
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
  return { bodyMemory, bodySheds, clock, counters, errors, observed, port, read, responses, server };
}

/** A caller on a raw socket. `received` is all it has received. */
async function openSocket(port: number) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed, received: () => received };
}

const requestHead = (...headers: string[]) =>
  [`POST ${LISTS_READ_PATH} HTTP/1.1`, 'Host: origin', 'Content-Type: application/json', ...headers, '', ''].join(
    '\r\n',
  );

const overloaded: ListResult = { kind: 'error', code: 'overloaded' };

describe('a read without room', () => {
  test('for any of its keys is 503, and says when to come again', async () => {
    const { errors, observed, read } = await serveRoute([overloaded, overloaded]);
    const response = await read(2);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7']);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 503, code: 'overloaded' });
    // Sheds are counted and not logged: log lines would add load.
    expect([observed, errors]).toEqual([['shed'], []]);
  });

  test.each<[string, ListResult]>([
    ['an answer', { kind: 'absent' }],
    ['an error of another kind', { kind: 'error', code: 'unavailable' }],
  ])('for some of its keys is one frame per key when another has %s', async (_what, other) => {
    const { observed, read } = await serveRoute([overloaded, other, overloaded]);
    const response = await read(3);
    expect([response.status, response.headers.get('retry-after')]).toEqual([200, null]);
    expect(await framesOf(response, 3)).toEqual([overloaded, other, overloaded]);
    expect(observed).toEqual(['shed']);
  });
});

test.each([
  [1010, 0],
  [1011, 1],
])('work that took %i ms of the 1000 that it had counts as late %i times', async (tookMs, late) => {
  const { counters, read } = await serveRoute([{ kind: 'absent' }], undefined, tookMs);
  expect((await read(1)).status).toBe(200);
  expect(counters.get('origin_late_total')).toBe(late);
});

describe('a process without CPU left', () => {
  test('refuses a read with 503 before it looks at it, says when to come again, and keeps the connection', async () => {
    const route = await serveRoute([{ kind: 'absent' }], () => false);
    const { socket, received } = await openSocket(route.port);
    const request = `${requestHead('Content-Length: 10')}not JSON..`;
    socket.write(request);
    await eventually(() => expect(received().match(/\r\n\r\n\{.*\}$/)).not.toBeNull());
    expect(received()).toMatch(/^HTTP\/1\.1 503 .*\r\n/);
    expect(received()).toContain('\r\nRetry-After: 7\r\n');
    expect(received().toLowerCase()).not.toContain('connection: close');
    socket.write(request);
    await eventually(() => expect(received().match(/HTTP\/1\.1 503 /g)).toHaveLength(2));
    expect(route.responses).toHaveLength(2);
    expect([route.observed, route.errors, route.counters.get('origin_reads_total')]).toEqual([['shed', 'shed'], [], 0]);
  });

  test.each([
    ['of unknown length', 'Transfer-Encoding: chunked'],
    ['that is too long', `Content-Length: ${MAX_BODY_BYTES + 1}`],
  ])('does not wait for a body %s', async (_what, header) => {
    const route = await serveRoute([{ kind: 'absent' }], () => false);
    const { socket, received, closed } = await openSocket(route.port);
    socket.write(requestHead(header));
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 503 .*overloaded/s));
    route.clock.advance(LINGER_MS);
    await closed;
  });
});

describe('a body', () => {
  const openConnections = ({ server }: Awaited<ReturnType<typeof serveRoute>>): Promise<number> =>
    new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });

  test.each<[string, string]>([
    ['a Content-Length', `${requestHead('Content-Length: 500')}{"keys":[`],
    ['chunks', `${requestHead('Transfer-Encoding: chunked')}9\r\n{"keys":[\r\n`],
  ])('that is cut off in the middle, with %s, is not answered and leaves nothing', async (_what, text) => {
    const route = await serveRoute();
    const { socket, received, closed } = await openSocket(route.port);
    socket.write(text);
    await eventually(() => expect(route.responses).toHaveLength(1));
    socket.destroy();
    await closed;
    await eventually(async () => expect(await openConnections(route)).toBe(0));
    expect([received(), route.responses[0]?.headersSent]).toEqual(['', false]);
    expect([route.observed, route.errors, route.counters.get('origin_reads_total')]).toEqual([[], [], 0]);
  });

  test('of chunks that add up to more than 128 KiB is 413 before it ends, and the connection closes', async () => {
    const route = await serveRoute();
    const { socket, received, closed } = await openSocket(route.port);
    const chunk = ' '.repeat(MAX_BODY_BYTES / 2);
    const chunkText = `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    socket.write(requestHead('Transfer-Encoding: chunked') + chunkText + chunkText);
    await eventually(() => expect(route.responses).toHaveLength(1));
    expect(received()).toBe('');
    // One byte above the limit, and no end.
    socket.write('1\r\n \r\n');
    await eventually(() => expect(received()).toContain('payload_too_large'));
    route.clock.advance(LINGER_MS);
    await closed;
    const [head = '', body = ''] = received().split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 413 /);
    expect(head.toLowerCase()).toContain('\r\nconnection: close');
    expect(JSON.parse(body)).toMatchObject({ status: 413, code: 'payload_too_large' });
    // A drain would wait for the open connections.
    route.server.close();
    await once(route.server, 'close');
  });

  test('of exactly 128 KiB in chunks is read to its end, and the connection stays', async () => {
    const route = await serveRoute([{ kind: 'absent' }]);
    const { socket, received } = await openSocket(route.port);
    const json = JSON.stringify({ keys: [key('u:1')] }).padEnd(MAX_BODY_BYTES, ' ');
    socket.write(`${requestHead('Transfer-Encoding: chunked')}${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`);
    await eventually(() => expect(received()).toContain('{"kind":"absent"}\n'));
    expect(received()).toMatch(/^HTTP\/1\.1 200 /);
    expect(received().toLowerCase()).not.toContain('connection: close');
    socket.destroy();
  });

  test('whose letters are cut apart by its chunks is what it was', async () => {
    const route = await serveRoute();
    const { socket, received } = await openSocket(route.port);
    const json = Buffer.from('{"keys":[],"é":1}');
    const cut = json.indexOf(0xa9);
    socket.write(requestHead(`Content-Length: ${json.length}`, 'Connection: close'));
    socket.write(json.subarray(0, cut));
    await eventually(() => expect(route.responses).toHaveLength(1));
    socket.write(json.subarray(cut));
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 400 .*"é/s));
  });
});

describe('the memory of bodies under way', () => {
  const start = async (maxBytes: number) => {
    const route = await serveRoute([{ kind: 'absent' }], undefined, 0, createBodyMemory(maxBytes));
    const sockets = [await openSocket(route.port), await openSocket(route.port)] as const;
    return { ...route, first: sockets[0], second: sockets[1] };
  };
  const json = JSON.stringify({ keys: [key('u:1')] });
  const head = requestHead(`Content-Length: ${json.length}`);

  test('has no room for a further body: 503 with Retry-After, counted, and the first one is answered', async () => {
    const { bodyMemory, bodySheds, clock, first, observed, second } = await start(json.length);
    first.socket.write(head + json.slice(0, -1));
    await eventually(() => expect(bodyMemory.bytes()).toBe(json.length - 1));
    second.socket.write(head + json.slice(0, -1));
    await eventually(() => expect(second.received()).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 7\r\n/s));
    expect([bodySheds, observed]).toEqual([['shed'], ['shed']]);
    first.socket.write(json.slice(-1));
    await eventually(() => expect(first.received()).toContain('{"kind":"absent"}\n'));
    clock.advance(LINGER_MS);
    await second.closed;
    expect([bodyMemory.bytes(), clock.pending()]).toEqual([0, 0]);
    first.socket.destroy();
  });

  test('is free again after a body that is cut off, and after one that is too slow: 504', async () => {
    const { bodyMemory, clock, first, second } = await start(2 * json.length);
    for (const { socket } of [first, second]) socket.write(head + json.slice(0, -1));
    await eventually(() => expect(bodyMemory.bytes()).toBe(2 * json.length - 2));
    first.socket.destroy();
    await eventually(() => expect(bodyMemory.bytes()).toBe(json.length - 1));
    // The route's own time for a read.
    clock.advance(999);
    expect(second.received()).toBe('');
    clock.advance(1);
    expect(bodyMemory.bytes()).toBe(0);
    await eventually(() => expect(second.received()).toMatch(/^HTTP\/1\.1 504 .*deadline_exceeded/s));
    clock.advance(LINGER_MS);
    await second.closed;
    expect(clock.pending()).toBe(0);
  });
});

describe('a body in another form', () => {
  test.each([
    [
      'Content-Type: text/plain',
      'Accept: application/json',
      'expected Content-Type to be application/json, got \\"text/plain\\"',
    ],
    ['Content-Type: application/json; charset=latin1', 'Accept: application/json', 'expected Content-Type'],
    ['X-None: 1', 'Accept: application/json', 'expected Content-Type to be application/json, got nothing'],
    ['Content-Type: application/json\r\nContent-Encoding: gzip', 'Accept-Encoding: identity', 'got \\"gzip\\"'],
  ])('is 415 with the accepted form: %s', async (header, accepted, detail) => {
    const route = await serveRoute();
    const { socket, received } = await openSocket(route.port);
    socket.write(`POST ${LISTS_READ_PATH} HTTP/1.1\r\nHost: origin\r\n${header}\r\nContent-Length: 2\r\n\r\n{}`);
    await eventually(() => expect(received()).toContain('unsupported_media_type'));
    expect(received()).toMatch(/^HTTP\/1\.1 415 /);
    expect(received()).toContain(`\r\n${accepted}\r\n`);
    expect(received()).toContain(detail);
    socket.destroy();
  });
});

describe('an answer', () => {
  test.each([
    ['short', 100],
    ['long', 20_000],
  ])('that is %s has every byte of its lists, whatever they are', async (_what, length) => {
    const bytes = (from: number) => Uint8Array.from({ length }, (_, i) => (from + 7 * i) % 256);
    // As views of a larger buffer, and as buffers of their own: memory has the first kind.
    const lists = [
      Buffer.from(bytes(0)),
      Buffer.from(bytes(7)).subarray(1),
      bytes(10),
      new Uint8Array(bytes(3).buffer, 5),
    ];
    const listOf = (each: Uint8Array): ListResult => ({ kind: 'list', bytes: each, generation: MONDAY, digest: 'd' });
    const { read } = await serveRoute(lists.map(listOf));
    expect(await framesOf(await read(lists.length), lists.length)).toEqual(
      lists.map((list) => listOf(Uint8Array.from(list))),
    );
  });

  test('from memory tells its age, and one from the table has none', async () => {
    const instance = await startInstance();
    await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    await writeList(instance.bigtable, key('u:1'), encodeItem('a', '1.0'));
    const { clock, origin, readLists } = await runOrigin(instance);
    const read = async () => framesOf(await readLists([key('u:1'), key('u:2')]), 2);
    for (const frame of await read()) expect(frame).not.toHaveProperty('ageMs');
    clock.advance(1500);
    expect(await read()).toMatchObject([
      { kind: 'list', ageMs: 1500 },
      { kind: 'absent', ageMs: 1500 },
    ]);
    expect(origin.counters.get('origin_memory_hits_total')).toBe(2);
  });

  test('with its items expanded has what is known of each, one line an item', async () => {
    const instance = await startInstance();
    const { bigtable } = instance;
    await writeManifestCell(bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    await writeList(bigtable, key('u:1'), ['a', 'b', 'c'].map((id) => encodeItem(id, '1.0')).join(ITEM_SEPARATOR));
    const writeItem = (id: string, value: string) =>
      writeCell(bigtable, {
        table: TABLES.items,
        rowKey: makeItemRowKey(id),
        family: FAMILIES.metadata,
        qualifier: JSON_QUALIFIER,
        atMs: MONDAY,
        value,
      });
    await writeItem('a', '{"title":"A"}');
    await writeItem('c', '{\n  "title": "C"\n}');
    const { clock, readLists } = await runOrigin(instance);
    const read = async () => {
      const [expanded, plain] = await framesOf(await readLists([{ ...key('u:1'), expand: 'items' }, key('u:1')]), 2);
      if (expanded?.kind !== 'list' || plain?.kind !== 'list') throw new Error('expected two lists');
      return { expanded, plain, lines: Buffer.from(expanded.bytes).toString().split('\n') };
    };
    const first = await read();
    expect(first.lines).toHaveLength(3);
    expect(JSON.parse(`[${first.lines.join('\n')}]`)).toEqual([
      { id: 'a', score: 1, metadata: { title: 'A' } },
      { id: 'b', score: 1 },
      { id: 'c', score: 1, metadata: { title: 'C' } },
    ]);
    expect(first.expanded.digest).not.toBe(first.plain.digest);
    expect(first.expanded).not.toHaveProperty('itemsAgeMs');

    // Both come from memory with their ages.
    clock.advance(700);
    const { expanded, lines } = await read();
    expect([lines, expanded.ageMs, expanded.itemsAgeMs]).toEqual([first.lines, 700, 700]);
  });

  test('is 401 without the token of the edge, however much of it is in memory', async () => {
    const instance = await startInstance();
    await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    const { clock, origin, readLists } = await runOrigin(instance);
    await readLists([key('u:1')]);
    const authorization = `Bearer ${await mintOriginToken(clock, { lifetimeSeconds: 0 })}`;
    expect((await readLists([key('u:1')], { authorization })).status).toBe(401);
    expect(origin.counters.get('origin_memory_hits_total')).toBe(0);
  });
});
