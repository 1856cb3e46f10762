// The worker's status route: its content and its access control.
import { expect, test } from 'vitest';
import { COUNTERS } from '../../../shared/runtime/counters.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { createHarness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const service = { sub: 'service:1', scope: 'recs:status' };
const near = (latitude: number, longitude: number) => ({
  cf: { latitude: String(latitude), longitude: String(longitude) },
});

async function readStatus(edge = createHarness(), options = {}) {
  const response = await edge.get(STATUS_PATH, { ...service, ...options });
  expect(response.status).toBe(200);
  return { response, status: edgeStatusSchema.parse(await response.json()) };
}

test.each([
  ['without a token', { authorization: null }, 401, 'unauthenticated'],
  ['with a token that is not valid', { authorization: 'Bearer a.b.c' }, 401, 'unauthenticated'],
  ['with one that has expired', { ...service, expiresInSeconds: -60 }, 401, 'unauthenticated'],
  ['with one for another audience', { ...service, audience: 'other' }, 401, 'unauthenticated'],
  ["with a listener's", {}, 403, 'forbidden'],
  ['with other scopes', { scope: 'recs:debug recs:preview recs:read recs:read:any' }, 403, 'forbidden'],
])('%s the status is refused', async (_how, options, status, code) => {
  const response = await createHarness().get(STATUS_PATH, options);
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('www-authenticate')).toMatch(status === 401 ? /^Bearer/ : /scope="recs:status"/);
  const body = (await response.json()) as object;
  expect(body).toMatchObject({ status, code });
  expect(body).not.toHaveProperty('regions');
});

test('a service gets the answer, and no cache may store it', async () => {
  const { response } = await readStatus();
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
});

test("the regions are in this caller's order, with the round trip to each", async () => {
  const { status } = await readStatus(createHarness(), near(51.5, -0.1));
  expect(status.regions.map(({ name }) => name)).toEqual(['europe', 'us', 'asia']);
  const roundTripsMs = status.regions.map(({ roundTripMs }) => roundTripMs);
  expect(roundTripsMs).toEqual(roundTripsMs.toSorted((a, b) => a - b));
  expect(new Set(roundTripsMs).size).toBe(3);
  const other = await readStatus(createHarness(), near(-34.8, -58.5));
  expect(other.status.regions.map(({ name }) => name)).toEqual(['us', 'europe', 'asia']);
});

test('for a caller at an unknown place they are in the configured order', async () => {
  const { status } = await readStatus();
  expect(status.regions.map(({ name }) => name)).toEqual(['asia', 'europe', 'us']);
});

test('a place that may not be named is refused', async () => {
  const response = await createHarness().get(STATUS_PATH, {
    ...service,
    headers: { 'Earshot-Dev-Location': 'NRT' },
  });
  expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
});

test("every counter is included, with this isolate's count", async () => {
  const edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  for (let i = 0; i < 3; i++) await (await edge.get('/v1/me/recommendations/home')).text();
  const { status } = await readStatus(edge);
  expect(Object.keys(status.counters).sort()).toEqual(Object.keys(COUNTERS).sort());
  expect(status.counters).toMatchObject({
    edge_requests_total: 4,
    edge_reads_total: 3,
    edge_isolate_hits_total: 2,
    edge_origin_reads_total: 1,
  });
});

test('another method is refused with the allowed ones', async () => {
  const response = await createHarness().get(STATUS_PATH, { ...service, method: 'POST' });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});
