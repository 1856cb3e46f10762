// Every route of the deployed worker in workerd answers what /openapi.json says, also to wrong requests and in an
// outage.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TOKEN_SECRET } from '../../../bench/rigs/edge-asks.ts';
import { type ListOrigin, startListOrigin } from '../../../bench/rigs/list-origin.ts';
import { startWorkerd, type Workerd } from '../../../bench/rigs/workerd.ts';
import { mintToken } from '../../../ops/token/mint-token.ts';
import { createFaultFinder, type FindFaults } from '../../support/documented.ts';
import { shareEdgeBundle } from '../../support/shared-bundle/shared-bundle.ts';

const OWN = '/v1/me/recommendations/home';
const USER = '/v1/users/listener:2/recommendations/home';
const BATCH = '/v1/recommendations:batch';
const QUERY = '/v1/recommendations';
const PATHS = [OWN, USER, BATCH, QUERY, '/openapi.json', '/healthz'];
const METHODS = ['GET', 'HEAD', 'POST', 'QUERY', 'PUT', 'DELETE', 'PATCH'];
const SCOPES = ['recs:read:any', 'recs:preview', 'recs:debug'];
const read = { user: 'listener:1', surface: 'home' };

let origin: ListOrigin;
let workerd: Workerd;
/** A worker whose regions are all down. */
let cutOff: Workerd;
let findFaults: FindFaults;
let token: string;
let plainToken: string;

beforeAll(async () => {
  origin = await startListOrigin();
  const bundle = await shareEdgeBundle();
  const region = { name: 'asia', locationHint: 'apac', latitude: 1.35, longitude: 103.82 };
  const start = (url: string) =>
    startWorkerd({
      bundle,
      bindings: {
        ...bundle.vars,
        ...{ ENVIRONMENT: 'local', REGION_TIER: 'off', TOKEN_SECRET, POPULAR_WARM_SECONDS: '0' },
        ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-',
        REGIONS: JSON.stringify([{ ...region, origin: url }]),
      },
      isQuiet: true,
    });
  workerd = await start(origin.url);
  cutOff = await start('http://127.0.0.1:1');
  findFaults = createFaultFinder(await (await fetch(`http://127.0.0.1:${workerd.port}/openapi.json`)).text());
  const mint = (scope: string[]) =>
    mintToken({ user: 'listener:1', scope, audience: 'earshot', expires: 600_000 }, TOKEN_SECRET);
  [token, plainToken] = await Promise.all([mint(SCOPES), mint([])]);
});

afterAll(async () => {
  await Promise.all([workerd?.stop(), cutOff?.stop(), origin?.stop()]);
});

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly to?: () => Workerd;
}

/** Sends a request. Returns its status and what the document does not describe. */
async function check({ method = 'GET', path, headers = {}, body, to = () => workerd }: Ask) {
  const hasBody = body !== undefined && !['GET', 'HEAD'].includes(method);
  const requestHeaders = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers };
  const init = { method, headers: requestHeaders, ...(hasBody ? { body } : {}) };
  const response = await fetch(`http://127.0.0.1:${to().port}${path}`, init);
  const { status } = response;
  return { status, faults: await findFaults({ method, path, requestHeaders, requestBody: body, response }) };
}

describe.each(METHODS)('%s', (method) => {
  test.each(PATHS)('%s', async (path) => {
    const body = JSON.stringify({ reads: [read] });
    expect((await check({ method, path, body })).faults).toEqual([]);
    expect((await check({ method, path, body, headers: { authorization: 'none' } })).faults).toEqual([]);
  });
});

test.each<[number, Ask]>([
  [304, { path: OWN, headers: { 'if-none-match': '*' } }],
  [304, { path: OWN, method: 'HEAD', headers: { 'if-none-match': '*' } }],
  [304, { path: '/openapi.json', headers: { 'if-none-match': '*' } }],
  [200, { path: `${OWN}?limit=3&fallback=none&expand=items&variant=knn`, headers: { 'earshot-debug': '1' } }],
  [200, { path: '/v1/users/auth0%7C5f7c/recommendations/home?limit=100' }],
  [200, { path: '/v1/users/ann+x@example.com/recommendations/home' }],
  [400, { path: `${OWN}?limit=0` }],
  [400, { path: `${OWN}?limit=101` }],
  [400, { path: `${OWN}?limit=1&limit=2` }],
  [400, { path: `${OWN}?offset=1` }],
  [400, { path: `${OWN}?fallback=all` }],
  [400, { path: '/v1/me/recommendations/Home' }],
  [400, { path: '/v1/users/a%2Fb/recommendations/home' }],
  [400, { path: '/v1/users/~popular/recommendations/home' }],
  [400, { path: OWN, headers: { 'earshot-debug': 'yes' } }],
  [401, { path: OWN, method: 'HEAD', headers: { authorization: 'Bearer a.b.c' } }],
  [404, { path: '/v1/me/recommendations/radio' }],
  [504, { path: OWN, headers: { 'earshot-deadline-ms': '0' }, to: () => cutOff }],
  [503, { path: OWN, to: () => cutOff }],
  [503, { path: OWN, method: 'HEAD', to: () => cutOff }],
  [503, { path: OWN, headers: { 'earshot-debug': '1' }, to: () => cutOff }],
  [503, { path: BATCH, method: 'POST', body: JSON.stringify({ reads: [read] }), to: () => cutOff }],
  [200, { path: '/healthz', to: () => cutOff }],
])('%i: %j', async (status, ask) => {
  expect(await check(ask)).toEqual({ status, faults: [] });
});

test('a missing scope is described, too', async () => {
  const headers = { authorization: `Bearer ${plainToken}` };
  expect(await check({ path: USER, headers })).toEqual({ status: 403, faults: [] });
  const body = JSON.stringify({ reads: [{ ...read, user: 'listener:2' }] });
  expect(await check({ path: BATCH, method: 'POST', headers, body })).toEqual({ status: 403, faults: [] });
});

describe.each([
  ['POST', BATCH],
  ['QUERY', QUERY],
])('a batch by %s', (method, path) => {
  test.each<[number, string, Record<string, string>]>([
    [
      200,
      JSON.stringify({ reads: [read, { ...read, limit: 2, expand: 'items', fallback: 'none', variant: 'knn' }] }),
      {},
    ],
    [200, JSON.stringify({ reads: [read, { ...read, surface: 'radio' }] }), { 'earshot-debug': '1' }],
    [400, '{"reads":[]}', {}],
    [400, '{"reads":[],"more":1}', {}],
    [400, '[]', {}],
    [413, `{"reads":[${' '.repeat(70_000)}]}`, {}],
    [415, '{"reads":[]}', { 'content-type': 'text/plain' }],
  ])('%i: %s %j', async (status, body, headers) => {
    expect(await check({ method, path, body, headers })).toEqual({ status, faults: [] });
  });

  test('with reads that are not valid has a problem in the place of each, as documented', async () => {
    const odd = [{ user: 'a/b', surface: 'home' }, { user: 7 }, null, 'x', { ...read, limit: 0 }, { ...read, more: 1 }];
    const { status, faults } = await check({ method, path, body: JSON.stringify({ reads: [read, ...odd] }) });
    // The request is wrong in single reads, which the answer says in their places.
    expect([status, faults]).toEqual([200, [expect.stringMatching(/^200 for a wrong request/)]]);
  });
});

test('the check finds what is not described', async () => {
  const exchange = { method: 'GET', path: OWN, requestHeaders: {} };
  const respond = (body: string, status: number, headers: Record<string, string> = {}) =>
    findFaults({ ...exchange, response: new Response(body, { status, headers }) });
  expect(await respond('{}', 418)).toEqual(['status 418 is not documented']);
  expect(await respond('{}', 200, { 'content-type': 'application/json' })).toEqual(
    expect.arrayContaining(['ETag is missing', " must have required property 'user'"]),
  );
  expect(await respond('{}', 503, { 'content-type': 'text/html' })).toContain('the type text/html is not documented');
});
