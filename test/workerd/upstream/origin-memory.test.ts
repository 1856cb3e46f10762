// Origins that answer from memory: the edge keeps the age of their values, and neither an erasure nor a refresh gets an
// earlier value.
import { beforeEach, describe, expect, test } from 'vitest';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import { readBatch } from '../support/batches.ts';
import { createHarness, type Harness, type Isolate } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const LISTS = '/internal/v1/lists:read';
const PATH = '/v1/me/recommendations/home?fallback=none';
const FRESH_MS = 21_600_000;
const AGE_MS = 600_000;
let edge: Harness;

function setUp(env: object): void {
  edge = createHarness({ env });
  edge.origins.remember('heeds-max-age');
  edge.origins.put(keyOf('ann'), makeList('a'));
}

beforeEach(() => setUp({}));

const read = async (isolate: Isolate = edge, sub = 'ann') => {
  const response = await isolate.get(PATH, { sub, expiresInSeconds: 86_400 });
  return { status: response.status, cache: response.headers.get('cache-status'), body: await response.text() };
};
const listCalls = () => edge.origins.calls.filter(({ path }) => path === LISTS);
const asksFor = (user: string) => listCalls().flatMap(({ keys }) => keys.filter((key) => key.user === user));
const erase = (user: string, atMs = edge.clock.now()) =>
  edge.origins.publish(makeManifest({ version: 2, erasures: [{ userHash: makeUserHash(user), atMs }] }));

describe('a list from the memory of an origin', () => {
  beforeEach(async () => {
    await read(edge.addIsolate());
    edge.clock.advance(AGE_MS);
  });

  test('has as much of its time left as it has there', async () => {
    expect((await read()).status).toBe(200);
    expect((await read()).cache).toBe(`isolate; hit; ttl=${(FRESH_MS - AGE_MS) / 1000}`);
    edge.loseIsolate();
    expect((await read()).cache).toMatch(new RegExp(`^colo; hit; ttl=${(FRESH_MS - AGE_MS) / 1000}`));
  });

  test('that is stale when it comes is served, and refreshed behind the answer', async () => {
    edge.clock.advance(FRESH_MS - AGE_MS + 1_000);
    edge.origins.put(keyOf('ann'), makeList('new'));
    expect((await read()).body).toContain('"a:1"');
    expect((await read()).body).toContain('"new:1"');
    expect(asksFor('ann').map(({ maxAgeMs }) => maxAgeMs)).toEqual([undefined, undefined, FRESH_MS + 999]);
  });
});

test('absence from the memory of an origin is believed for as long as is left of its 30 seconds', async () => {
  await read(edge.addIsolate(), 'nobody');
  edge.clock.advance(20_000);
  await read(edge, 'nobody');
  edge.origins.put(keyOf('nobody'), makeList('late'));
  expect((await read(edge, 'nobody')).cache).toBe('isolate; hit; ttl=10; detail=absent');
  edge.clock.advance(10_001);
  edge.origins.remember('none');
  expect((await read(edge, 'nobody')).status).toBe(200);
});

test('a refresh does not get the origin’s value from before the list that it replaces', async () => {
  await read();
  edge.clock.advance(FRESH_MS);
  edge.origins.put(keyOf('ann'), makeList('new'));
  expect((await read()).body).toContain('"a:1"');
  expect((await read()).body).toContain('"new:1"');
  expect(asksFor('ann').map(({ maxAgeMs }) => maxAgeMs)).toEqual([undefined, FRESH_MS - 1]);
});

describe.each([
  ['without objects of regions', { REGION_TIER: 'off' }],
  ['through an object', { REGION_TIER: 'on' }],
])('an erased user, %s,', (_, env) => {
  beforeEach(() => setUp(env));

  test("does not get an origin's earlier value, and gets its later one", async () => {
    await read(edge.addIsolate());
    edge.clock.advance(AGE_MS);
    erase('ann');
    edge.origins.put(keyOf('ann'), makeList('after'));
    edge.clock.advance(3_000);
    expect((await read()).body).toContain('"after:1"');
    expect(asksFor('ann').at(-1)?.maxAgeMs).toBe(3_000);
    edge.clock.advance(4_000);
    expect((await read(edge.addIsolate())).body).toContain('"after:1"');
  });

  test('does not get it through a caller that does not know the erasure yet', async () => {
    await read(edge.addIsolate());
    edge.clock.advance(AGE_MS);
    await read(edge, 'warms-the-manifest');
    edge.clock.advance(1_000);
    erase('ann');
    edge.origins.put(keyOf('ann'), makeList('after'));
    edge.clock.advance(1_000);
    expect((await read()).body).toContain('"a:1"');
    edge.clock.advance(10_000);
    expect((await read()).body).toContain('"after:1"');
    expect((await read(edge.addIsolate())).body).toContain('"after:1"');
  });
});

describe('an origin that returns lists older than requested', () => {
  beforeEach(async () => {
    edge.origins.remember('ignores-max-age');
    edge.origins.put(keyOf('bob'), makeList('b'));
    for (const user of ['ann', 'bob']) await read(edge.addIsolate(), user);
    edge.clock.advance(AGE_MS);
    erase('ann');
    edge.origins.put(keyOf('ann'), makeList('after'));
  });

  test('is skipped for that list: the next region gets the read', async () => {
    const { body, cache } = await read();
    expect(body).toContain('"after:1"');
    expect(cache).toMatch(
      /^origin-asia; fwd=miss; fwd-status=200; detail=outdated, origin-europe; fwd=miss; fwd-status=200,/,
    );
    expect(edge.logs.map(({ event, fields }) => [event, fields.region, fields.keys])).toEqual([
      ['lists_outdated', 'asia', 1],
    ]);
  });

  test('still gets reads of other lists', async () => {
    const results = await readBatch(
      edge,
      ['ann', 'bob'].map((user) => ({ user, surface: 'home', limit: 1 })),
    );
    expect(results.map(({ items }) => items?.map(({ id }) => id))).toEqual([['after:1'], ['b:1']]);
    expect(edge.origins.listReads().slice(-2)).toEqual(['asia', 'europe']);
    expect(
      listCalls()
        .at(-1)
        ?.keys.map(({ user }) => user),
    ).toEqual(['ann']);
  });

  test('does not bring back what it has where no region has better', async () => {
    for (const region of ['europe', 'us']) edge.origins.behave('refuses', { region, path: LISTS });
    expect((await read()).status).toBe(503);
  });
});
