// Requests as raw bytes to the deployed worker in workerd: hosts, targets and methods of every kind. Some are refused
// by the runtime before the worker sees them; no answer is a bare 500.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWorkerd, type Workerd } from '../../../bench/rigs/workerd.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import { shareEdgeBundle } from '../../support/shared-bundle/shared-bundle.ts';

const HOST = 'recs.example.com';
/** Outside the local cloud the secrets of tests are refused. */
const TOKEN_SECRET = makeRandomSecret();
let workerd: Workerd;

beforeAll(async () => {
  const bundle = await shareEdgeBundle();
  const regions = [
    { name: 'asia', origin: 'https://asia.test', locationHint: 'apac', latitude: 1.35, longitude: 103.82 },
  ];
  const bindings = {
    ...bundle.vars,
    ...{ ENVIRONMENT: 'production', PUBLIC_HOSTS: `${HOST},*.previews.example.com`, REGION_TIER: 'off' },
    ...{ TOKEN_SECRET, ORIGIN_SECRET: makeRandomSecret(), REGIONS: JSON.stringify(regions) },
  };
  workerd = await startWorkerd({ bundle, bindings, isQuiet: true });
});

afterAll(async () => {
  await workerd.stop();
});

interface RawAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** The answer to `head` and `body` as they are. */
async function send(head: string, body = ''): Promise<RawAnswer> {
  const socket = connect(workerd.port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  socket.write(`${head}\r\nConnection: close\r\n\r\n${body}`);
  await once(socket, 'close');
  const [headers = '', rest = ''] = text.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(headers)?.[1]), headers, body: rest };
}

const get = (host: string, path = '/healthz') => send(`GET ${path} HTTP/1.1\r\nHost: ${host}`);

test.each([HOST, 'a.previews.example.com', HOST.toUpperCase()])('the host %s is answered', async (host) => {
  const { status, body } = await get(host);
  expect([status, body]).toEqual([200, expect.stringContaining('"status":"ok"')]);
});

describe('a host that is not served is a problem', () => {
  test.each([
    'example.com',
    '127.0.0.1',
    '[::1]',
    `${HOST}:8443`,
    `${HOST}.evil.test`,
    `evil-${HOST}`,
    'previews.example.com',
    `${HOST}.`,
  ])('%s', async (host) => {
    const { status, headers, body } = await get(host);
    expect([status, JSON.parse(body)]).toMatchObject([421, { code: 'misdirected_request' }]);
    expect(headers).toMatch(/content-type: application\/problem\+json/i);
    expect(headers).toMatch(/x-request-id: /i);
  });
});

describe('a broken host is refused, and is never a bare 500', () => {
  test.each([
    '',
    'a b',
    'a"b',
    '<x>',
    `user@${HOST}`,
    `user:password@${HOST}`,
    `${HOST}:port`,
    `${HOST}:99999999`,
    `${HOST}/path`,
    `${HOST}?x=1`,
    `${HOST}#x`,
    `${HOST}, example.com`,
    '%00',
    '[::1',
    '\u00e9.example.com',
    '..',
    'a'.repeat(10_000),
  ])('%j', async (host) => {
    const { status, body } = await get(host);
    // Without a body the runtime itself has refused the request.
    if (body !== '' && body.startsWith('{')) expect(JSON.parse(body)).toMatchObject({ status });
    expect([400, 404, 421]).toContain(status);
  });

  test('a host twice, and none', async () => {
    for (const head of [`GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\nHost: example.com`, 'GET /healthz HTTP/1.1'])
      expect([400, 421]).toContain((await send(head)).status);
  });

  test('it does not spoil the requests after it', async () => {
    await get('a b');
    expect((await get(HOST)).status).toBe(200);
  });
});

test('the target of a request to a proxy does not choose the host', async () => {
  for (const target of [`http://example.com/healthz`, `https://user@example.com/healthz`]) {
    const { status } = await send(`GET ${target} HTTP/1.1\r\nHost: ${HOST}`);
    // The runtime takes the host from the header, and drops that of the target.
    expect(status).toBe(200);
  }
  expect((await send(`GET http://${HOST}/healthz HTTP/1.1\r\nHost: example.com`)).status).toBe(421);
});

test('CONNECT is refused by the runtime, and never reaches the worker', async () => {
  const { status, headers } = await send(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}`);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(headers).not.toMatch(/x-request-id/i);
});

test.each(['TRACE', 'OPTIONS', 'FOO', 'get'])('the method %s is refused', async (method) => {
  const { status, body } = await send(`${method} /healthz HTTP/1.1\r\nHost: ${HOST}\r\nX-Secret: s3cret`);
  expect([400, 405, 501]).toContain(status);
  expect(body).not.toContain('s3cret');
});

test('a body of a GET is ignored', async () => {
  const { status } = await send(`GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 7`, '{"a":1}');
  expect(status).toBe(200);
});

test('no answer names the software', async () => {
  for (const path of ['/healthz', '/nowhere', '/openapi.json', '/v1/me/recommendations/home'])
    expect((await get(HOST, path)).headers).not.toMatch(/^(server|x-powered-by|via):/im);
});
