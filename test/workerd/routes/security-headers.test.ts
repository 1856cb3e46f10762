// The headers of every answer, and the methods of every route. A table of answers of each status.
import { createExecutionContext } from 'cloudflare:test';
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { assemble } from '../../../edge/assemble.ts';
import { STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import { batchOptions, POST_PATH, QUERY_PATH, readsOf } from '../support/batches.ts';
import { createHarness, type GetOptions, type Harness, TEST_ENV, TEST_REGIONS } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const PRODUCTION = {
  ENVIRONMENT: 'production',
  PUBLIC_HOSTS: 'recs.example.com,*.previews.example.com',
  REGIONS: JSON.stringify(TEST_REGIONS),
};
const HOST = 'https://recs.example.com';
let edge: Harness;

function deploy(env: object = {}): void {
  edge = createHarness({ env: { ...PRODUCTION, ...env }, keyOrigin: HOST });
  edge.origins.put(keyOf('ann'), makeList('a'));
}
beforeEach(() => deploy());

const body = JSON.stringify({ reads: readsOf(['ann']) });
const ANSWERS: readonly [number, string, string, GetOptions][] = [
  [200, 'GET', PATH, {}],
  [200, 'HEAD', PATH, {}],
  [304, 'GET', PATH, { headers: { 'if-none-match': '*' } }],
  [200, 'POST', POST_PATH, batchOptions(body)],
  [200, 'QUERY', QUERY_PATH, batchOptions(body)],
  [200, 'GET', STATUS_PATH, { scope: 'recs:status' }],
  [200, 'GET', '/openapi.json', { authorization: null }],
  [304, 'GET', '/openapi.json', { authorization: null, headers: { 'if-none-match': '*' } }],
  [200, 'GET', '/healthz', { authorization: null }],
  [400, 'GET', `${PATH}?limit=0`, {}],
  [401, 'GET', PATH, { authorization: null }],
  [403, 'GET', '/v1/users/bob/recommendations/home', {}],
  [404, 'GET', '/v1/me/recommendations/radio', {}],
  [404, 'GET', '/nowhere', {}],
  [404, 'GET', '/', {}],
  [405, 'DELETE', PATH, {}],
  [405, 'OPTIONS', PATH, {}],
  [415, 'POST', POST_PATH, { body: 'x' }],
  [504, 'GET', PATH, { headers: { 'earshot-deadline-ms': '0' } }],
];

describe.each(ANSWERS)('a %i of %s %s', (status, method, path, options) => {
  test('says how a browser and a cache have to treat it, and names no software', async () => {
    const response = await edge.get(path, { ...options, method });
    const { headers } = response;
    expect(response.status).toBe(status);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('strict-transport-security')).toBe('max-age=63072000');
    expect(headers.get('cache-control')).toMatch(
      status >= 400
        ? /^no-store$/
        : path === '/openapi.json'
          ? /^public, max-age=300$/
          : /^(private, max-age=60|no-store)$/,
    );
    expect(['server', 'x-powered-by', 'via', 'set-cookie'].filter((name) => headers.has(name))).toEqual([]);
    if (response.body !== null && method !== 'HEAD')
      expect(headers.get('content-type')).toMatch(
        status >= 400 ? /^application\/problem\+json$/ : /^application\/json$/,
      );
  });
});

test('over plain HTTP on one machine no browser is told to use HTTPS', async () => {
  const local = createHarness();
  for (const path of [PATH, '/nowhere', '/healthz'])
    expect((await local.get(path)).headers.get('strict-transport-security')).toBeNull();
});

test('a preflight has them, too', async () => {
  deploy({ CORS_ORIGINS: 'https://player.example.com' });
  const headers = { origin: 'https://player.example.com', 'access-control-request-method': 'GET' };
  const response = await edge.get(PATH, { method: 'OPTIONS', authorization: null, headers });
  expect(response.status).toBe(204);
  expect(response.headers.get('strict-transport-security')).toBe('max-age=63072000');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

test('a worker without a valid configuration has them, too', async () => {
  const answer = assemble({
    ...TEST_ENV,
    ...PRODUCTION,
    TOKEN_SECRET: makeRandomSecret(),
    ORIGIN_SECRET: makeRandomSecret(),
    ORIGIN_TIMEOUT_MS: 'soon',
  });
  const response = await answer(new Request(`${HOST}/healthz`), {}, createExecutionContext());
  expect(response.status).toBe(503);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('strict-transport-security')).toBe('max-age=63072000');
  expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
});

describe('every route', () => {
  const ALLOWED: Readonly<Record<string, string>> = {
    [PATH]: 'GET, HEAD',
    '/v1/users/ann/recommendations/home': 'GET, HEAD',
    [QUERY_PATH]: 'QUERY',
    [POST_PATH]: 'POST',
    [STATUS_PATH]: 'GET, HEAD',
    '/openapi.json': 'GET, HEAD',
    '/healthz': 'GET, HEAD',
  };
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND'];
  const refused = Object.entries(ALLOWED).flatMap(([path, allow]) =>
    methods.filter((method) => !allow.split(', ').includes(method)).map((method) => ({ method, path, allow })),
  );

  test.each(refused)('$path refuses $method and names its methods', async ({ method, path, allow }) => {
    const response = await edge.get(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    if (method !== 'HEAD') expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
  });

  test.each([PATH, STATUS_PATH, '/openapi.json', '/healthz'])(
    'HEAD of %s has the headers of GET and no body',
    async (path) => {
      const ask = (method: string) => edge.get(path, { method, scope: 'recs:status' });
      await ask('GET');
      const [got, head] = [await ask('GET'), await ask('HEAD')];
      const changing = ['x-request-id', 'server-timing', 'content-length', 'cache-status'];
      const stable = ({ headers }: Response) => [...headers].filter(([name]) => !changing.includes(name));
      expect([head.status, await head.text()]).toEqual([got.status, '']);
      expect(stable(head)).toEqual(stable(got));
    },
  );
});

describe('the host of a request', () => {
  const clock = createManualClock();
  const statusOf = async (host: string): Promise<[number, unknown]> => {
    const answer = assemble({
      ...TEST_ENV,
      ...PRODUCTION,
      TOKEN_SECRET: makeRandomSecret(),
      ORIGIN_SECRET: makeRandomSecret(),
    });
    const request = new Request('https://placeholder.test/healthz');
    Object.defineProperty(request, 'url', { value: `https://${host}/healthz` });
    const response = await answer(request, {}, createExecutionContext());
    return [response.status, ((await response.json()) as { code?: string }).code];
  };

  test.each(['recs.example.com', 'a.previews.example.com', 'a.b.previews.example.com'])(
    '%s is served',
    async (host) => {
      expect(await statusOf(host)).toEqual([200, undefined]);
    },
  );

  test.each([
    'example.com',
    'recs.example.com.evil.test',
    'evil-recs.example.com',
    'previews.example.com',
    'evilpreviews.example.com',
    'recs.example.com:8443',
    '127.0.0.1',
    '[::1]',
  ])('%s is not served here', async (host) => {
    expect(await statusOf(host)).toEqual([421, 'misdirected_request']);
  });

  test.each([
    '',
    'a b',
    'a"b',
    '<x>',
    'user@recs.example.com',
    'recs.example.com:port',
    'é',
    '..',
    `${'a'.repeat(10_000)}.com`,
  ])('%j is no host', async (host) => {
    expect(await statusOf(host)).toEqual([400, 'invalid_request']);
  });

  test('never gets into the keys of caches', async () => {
    const puts: string[] = [];
    const cache = {
      match: async () => undefined,
      put: async (url: string) => void puts.push(String(url)),
    } as unknown as Cache;
    const harness = createHarness({ env: PRODUCTION, keyOrigin: HOST, openCache: async () => cache });
    harness.origins.put(keyOf('ann'), makeList('a'));
    const request = await harness.get(PATH);
    expect(request.status).toBe(200);
    expect(puts.length).toBeGreaterThan(1);
    for (const url of puts) expect(url).toMatch(/^https:\/\/recs\.example\.com\/\.earshot\//);
    expect(clock.pending()).toBe(0);
  });
});
