// The bodies of `lists:read`: those that break off, never end, or have another form, and the memory of those under way.
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { LINGER_MS } from '../../../origin/http/lists-read-answer.ts';
import { MAX_BODY_BYTES } from '../../../origin/http/lists-read-body.ts';
import { LISTS_READ_PATH } from '../../../shared/wire/read-request.ts';
import { eventually } from '../../support/waiting.ts';
import { key, openSocket, requestHead, serveRoute } from './lists-route.ts';

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
    const route = await serveRoute([{ kind: 'absent' }]);
    const { socket, received } = await openSocket(route.port);
    const json = Buffer.from(JSON.stringify({ keys: [{ ...key('u:1'), é: 1 }] }));
    const cut = json.indexOf(0xa9);
    socket.write(requestHead(`Content-Length: ${json.length}`, 'Connection: close'));
    socket.write(json.subarray(0, cut));
    await eventually(() => expect(route.responses).toHaveLength(1));
    socket.write(json.subarray(cut));
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 200 /));
    expect(route.asked).toEqual([{ ...key('u:1'), é: 1 }]);
  });
});

describe('the memory of bodies under way', () => {
  const start = async (maxBytes: number) => {
    const route = await serveRoute([{ kind: 'absent' }], undefined, 0, maxBytes);
    const sockets = [await openSocket(route.port), await openSocket(route.port)] as const;
    return { ...route, first: sockets[0], second: sockets[1] };
  };
  const json = JSON.stringify({ keys: [key('u:1')] });
  const head = requestHead(`Content-Length: ${json.length}`);

  test('has no room for a further body: 503 with Retry-After, counted, and the first one is answered', async () => {
    const { bodyMemory, bodySheds, clock, first, observed, second } = await start(json.length);
    first.socket.write(head + json.slice(0, -1));
    await eventually(() => expect(bodyMemory.bytes).toBe(json.length - 1));
    second.socket.write(head + json.slice(0, -1));
    await eventually(() => expect(second.received()).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 7\r\n/s));
    expect([bodySheds, observed]).toEqual([['shed'], ['shed']]);
    first.socket.write(json.slice(-1));
    await eventually(() => expect(first.received()).toContain('{"kind":"absent"}\n'));
    clock.advance(LINGER_MS);
    await second.closed;
    expect([bodyMemory.bytes, clock.pending()]).toEqual([0, 0]);
    first.socket.destroy();
  });

  test('is free again after a body that is cut off, and after one that is too slow: 504', async () => {
    const { bodyMemory, clock, first, second } = await start(2 * json.length);
    for (const { socket } of [first, second]) socket.write(head + json.slice(0, -1));
    await eventually(() => expect(bodyMemory.bytes).toBe(2 * json.length - 2));
    first.socket.destroy();
    await eventually(() => expect(bodyMemory.bytes).toBe(json.length - 1));
    // The route's own time for a read.
    clock.advance(999);
    expect(second.received()).toBe('');
    clock.advance(1);
    expect(bodyMemory.bytes).toBe(0);
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
