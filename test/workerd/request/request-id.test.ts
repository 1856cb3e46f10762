// The id of a request: on every answer, in every log line, and at every origin.
import { beforeEach, describe, expect, test } from 'vitest';
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { batchOptions, POST_PATH, QUERY_PATH, readsOf } from '../support/batches.ts';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { turnUntil } from '../support/turns.ts';

const PATH = '/v1/me/recommendations/home';
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-00`;
const debug = { headers: { 'earshot-debug': '1' }, scope: 'recs:debug recs:read:any' };
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: { CORS_ORIGINS: 'https://player.example.com' } });
  edge.origins.put(keyOf('ann'), makeList('a'));
});

const idOf = ({ headers }: Response): string => headers.get('x-request-id') ?? '';

const body = JSON.stringify({ reads: readsOf(['ann']) });
const requests: readonly [number, string, GetOptions][] = [
  [200, PATH, {}],
  [200, PATH, { method: 'HEAD' }],
  [304, PATH, { headers: { 'if-none-match': '*' } }],
  [200, POST_PATH, batchOptions(body)],
  [200, QUERY_PATH, batchOptions(body, { method: 'QUERY' })],
  [200, '/openapi.json', { authorization: null }],
  [200, '/healthz', { authorization: null }],
  [200, STATUS_PATH, { scope: 'recs:status' }],
  [204, PATH, { method: 'OPTIONS', headers: { origin: 'https://player.example.com' } }],
  [400, `${PATH}?limit=0`, {}],
  [401, PATH, { authorization: null }],
  [403, '/v1/users/bob/recommendations/home', {}],
  [404, '/v1/me/recommendations/radio', {}],
  [404, '/nowhere', {}],
  [405, PATH, { method: 'DELETE' }],
  [415, POST_PATH, { method: 'POST', body: 'x' }],
  [504, PATH, { headers: { 'earshot-deadline-ms': '0' } }],
];

describe.each(requests)('a %i of %s (%j)', (status, path, options) => {
  test('has the id of the caller, of its trace, or a new one', async () => {
    const ask = async (headers: Record<string, string>): Promise<string> => {
      const response = await edge.get(path, { ...options, headers: { ...options.headers, ...headers } });
      expect(response.status).toBe(status);
      return idOf(response);
    };
    expect(await ask({ 'x-request-id': 'req-7' })).toBe('req-7');
    expect(await ask({ traceparent })).toBe(TRACE_ID);
    expect(await ask({ traceparent, 'x-request-id': 'req-7' })).toBe('req-7');
    const made = [await ask({}), await ask({}), await ask({ 'x-request-id': 'a b' })];
    expect(new Set(made).size).toBe(3);
    for (const id of made) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });
});

test.each(['', ' ', 'a b', 'a"b', 'a\tb', 'é', '<script>', 'a,b', 'a;b', 'x'.repeat(65), '../x'])(
  'an X-Request-Id that is not well formed counts as none: %j',
  async (header) => {
    const response = await edge.get(PATH, { headers: { 'x-request-id': header } });
    expect(idOf(response)).toMatch(/^[0-9a-f]{32}$/);
  },
);

test.each([{ REGION_TIER: 'off' }, { REGION_TIER: 'on' }])(
  'with %j it reaches the origin and every log line',
  async (env) => {
    edge = createHarness({ env });
    edge.origins.behave(500, { region: 'asia' });
    await edge.get(PATH, { headers: { 'x-request-id': 'req-7', traceparent } });
    edge.origins.behave('refuses');
    expect((await edge.get(PATH, { sub: 'bob', headers: { 'x-request-id': 'req-7', traceparent } })).status).toBe(503);
    expect(edge.origins.calls.length).toBeGreaterThan(3);
    for (const { headers } of edge.origins.calls) {
      expect([headers.get('x-request-id'), headers.get('traceparent')]).toEqual(['req-7', traceparent]);
    }
    expect(new Set(edge.logs.map(({ event }) => event))).toContain('request_failed');
    for (const { event, fields } of edge.logs)
      if (event !== 'region_state') expect(fields).toMatchObject({ requestId: 'req-7', traceId: TRACE_ID });
  },
);

describe('without a manifest', () => {
  beforeEach(() => {
    edge.origins.behave('refuses', { region: 'asia' });
    edge.origins.behave(503, { region: 'europe' });
    edge.origins.behave(404, { region: 'us' });
  });
  const trail =
    'origin-asia; fwd=miss; detail=connection, origin-europe; fwd=miss; fwd-status=503, origin-us; fwd=miss; fwd-status=404, ' +
    'colo; fwd=miss; detail=manifest-failed, isolate; fwd=miss; detail=manifest-failed';

  test.each<[string, GetOptions]>([
    [PATH, {}],
    [POST_PATH, batchOptions(body)],
    [QUERY_PATH, batchOptions(body, { method: 'QUERY' })],
  ])('the 503 of %s names every region that was asked, and with Earshot-Debug their order', async (path, options) => {
    const response = await edge.get(path, options);
    expect([response.status, response.headers.get('cache-status')]).toEqual([503, trail]);
    expect(response.headers.get('earshot-regions')).toBeNull();
    edge.clock.advance(1_000);
    const headers = { ...options.headers, ...debug.headers };
    const shown = await edge.get(path, { ...options, ...debug, headers });
    expect(shown.status).toBe(503);
    expect(shown.headers.get('cache-status')?.split(', ')).toEqual(
      trail.split(', ').map((each) => `${each}; key="manifest"`),
    );
    expect(shown.headers.get('earshot-regions')?.split(', ').sort()).toEqual(['asia', 'europe', 'us']);
  });

  test('a request during the pause after a failure says that no region was asked', async () => {
    await edge.get(PATH);
    expect((await edge.get(PATH)).headers.get('cache-status')).toBe(
      'colo; fwd=miss; detail=manifest-backoff, isolate; fwd=miss; detail=manifest-backoff',
    );
  });

  test('the status and healthz say so, with the answer of each region, and that it is over', async () => {
    const readManifest = async () => {
      const response = await edge.get(STATUS_PATH, { scope: 'recs:status' });
      return edgeStatusSchema.parse(await response.json()).manifest;
    };
    const readHealth = async () => (await edge.get('/healthz', { authorization: null })).json();
    expect(await readManifest()).toEqual({ state: 'unread', regions: [] });
    await edge.get(PATH);
    expect(await readManifest()).toEqual({
      state: 'none',
      regions: [
        { name: 'asia', answer: 'connection' },
        { name: 'europe', answer: 'status 503' },
        { name: 'us', answer: 'status 404' },
      ],
    });
    expect(await readHealth()).toMatchObject({ status: 'ok', manifest: 'none' });
    edge.origins.behave('up');
    edge.clock.advance(1_000);
    await edge.get(PATH);
    expect(await readManifest()).toMatchObject({ state: 'live', version: 1, confirmedForMs: 0 });
    expect(await readHealth()).toMatchObject({ status: 'ok', manifest: 'live' });
    edge.origins.behave('refuses');
    edge.clock.advance(20_000);
    await edge.get(PATH);
    expect(await readManifest()).toMatchObject({ state: 'unconfirmed', version: 1, confirmedForMs: 20_000 });
    expect(await readHealth()).toMatchObject({ status: 'ok', manifest: 'unconfirmed' });
  });
});

test('a failed read with Earshot-Debug has its keys and regions, too', async () => {
  await edge.get(PATH);
  edge.origins.behave('refuses');
  const response = await edge.get(PATH, { ...debug, sub: 'bob' });
  expect(response.status).toBe(503);
  expect(response.headers.get('cache-status')).toContain('key="home/control/');
  expect(response.headers.get('earshot-regions')).toBe('asia, europe, us');
  const other = await edge.get(PATH, { sub: 'bob' });
  expect(other.headers.get('cache-status')).not.toContain('key=');
  expect(other.headers.get('earshot-regions')).toBeNull();
});

test('a caller with little time starts a manifest refresh that others get the result of', async () => {
  let isOpen = false;
  edge = createHarness({
    fetch: async (url, init) => {
      const answer = await edge.origins.fetch(url, init);
      if (url.endsWith('/manifest')) await turnUntil(() => isOpen);
      return answer;
    },
  });
  edge.origins.put(keyOf('ann'), makeList('a'));
  const arrived = edge.origins.arrival('asia');
  const hurried = edge.send(PATH, { headers: { 'earshot-deadline-ms': '5' } });
  await arrived;
  const patient = edge.send(PATH);
  edge.clock.advance(50);
  expect((await hurried).status).toBe(503);
  isOpen = true;
  expect((await patient).status).toBe(200);
  expect(edge.origins.manifestReads()).toEqual(['asia']);
});
