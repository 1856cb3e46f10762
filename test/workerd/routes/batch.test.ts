// Many reads in one request: each gets the answer of a single read, independent of the others. Long, because it covers
// one complete API.

import { Hono } from 'hono';
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createBuilds } from '../../../edge/builds.ts';
import { createCallerCosts } from '../../../edge/limits/caller-costs.ts';
import { NO_LIMITS } from '../../../edge/limits/limits.ts';
import type { Served, ServeReads } from '../../../edge/reads/serve-reads.ts';
import { NOWHERE } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { createRespondLarge } from '../../../edge/respond/large-answer.ts';
import { answerBatch } from '../../../edge/routes/batch/handler.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { toEarshotError } from '../../../shared/wire/errors.ts';
import { batchOptions, POST_PATH, QUERY_PATH, readBatch, readsOf, resultsOf, sendBatch } from '../support/batches.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';
import { parseCacheStatus } from '../support/structured-fields.ts';

const LISTS = '/internal/v1/lists:read';
const home = (user: string, more: object = {}) => ({ user, surface: 'home', ...more });
let edge: Harness;

const statusesOf = (results: readonly { status: number }[]) => results.map(({ status }) => status);
const cacheStatusOf = (response: Response) => parseCacheStatus(response.headers.get('cache-status') ?? '');

beforeEach(() => {
  edge = createHarness();
  for (const user of ['ann', 'bob', 'carl']) edge.origins.put(keyOf(user), makeList(user));
});

describe('the answer', () => {
  test('holds for each read, in order, what belongs to its list', async () => {
    const response = await sendBatch(edge, [home('bob', { limit: 2 }), home('ann', { limit: 1 })]);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(
      '{"results":[' +
        '{"status":200,"experiment":"home","user":"bob","surface":"home","variant":"control","generation":"2026-11-22T03:00:00.000Z","source":"personal",' +
        '"items":[{"id":"bob:1","score":1},\n{"id":"bob:2","score":0.999}]},' +
        '{"status":200,"experiment":"home","user":"ann","surface":"home","variant":"control","generation":"2026-11-22T03:00:00.000Z","source":"personal",' +
        '"items":[{"id":"ann:1","score":1}]}]}',
    );
  });

  test.each([undefined, 1, 7, 100])('has the bytes of a single read with limit %s, status apart', async (limit) => {
    edge.origins.put(keyOf('empty'), makeList('e', 0));
    const users = ['ann', 'empty', 'bob', 'nobody'];
    edge.origins.put(keyOf('~popular'), makeList('p', 3));
    const text = await (
      await sendBatch(
        edge,
        users.map((user) => home(user, { limit })),
      )
    ).text();
    const query = limit === undefined ? '' : `?limit=${limit}`;
    const singles = users.map(async (user) => {
      const path = `/v1/users/${user}/recommendations/home${query}`;
      const single = await (await edge.get(path, { scope: 'recs:read:any' })).text();
      return `{"status":200,"experiment":"home",${single.slice(1)}`;
    });
    expect(text).toBe(`{"results":[${(await Promise.all(singles)).join(',')}]}`);
  });

  test('holds a hundred lists, cold and then warm', async () => {
    const users = Array.from({ length: 100 }, (_, i) => `u${i}`);
    for (const user of users) edge.origins.put(keyOf(user), makeList(user, 3));
    const [cold, warm] = [await sendBatch(edge, readsOf(users)), await sendBatch(edge, readsOf(users))];
    expect((await resultsOf(warm.clone())).map(({ user, items }) => [user, items?.[0]?.id])).toEqual(
      users.map((user) => [user, `${user}:1`]),
    );
    expect(await warm.text()).toBe(await cold.text());
    expect(warm.headers.get('cache-status')).toBe('isolate; hit; detail="100/100"');
    expect(edge.origins.calls.filter(({ path }) => path === LISTS).flatMap(({ keys }) => keys)).toHaveLength(100);
    expect(edge.counters.get('edge_requests_total')).toBe(2);
    expect(edge.counters.get('edge_reads_total')).toBe(200);
  });

  test('repeats a list as often as it was requested, loaded once', async () => {
    const results = await readBatch(edge, [home('ann'), home('bob'), home('ann'), home('ann', { limit: 1 })]);
    expect(results.map(({ user, items }) => [user, items?.length])).toEqual([
      ['ann', 50],
      ['bob', 50],
      ['ann', 50],
      ['ann', 1],
    ]);
    expect(edge.origins.calls.flatMap(({ keys }) => keys)).toEqual([keyOf('ann'), keyOf('bob')]);
  });

  test('may be cached by its caller only, and by no cache in between', async () => {
    const { headers } = await sendBatch(edge, [home('ann')]);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(['etag', 'vary'].map((name) => headers.get(name))).toEqual([null, null]);
  });

  test('to QUERY equals that to POST, byte for byte, and lists the accepted formats', async () => {
    const body = JSON.stringify({ reads: [home('ann'), home('a#b'), { user: 'bob', surface: 'radio' }] });
    await edge.get(POST_PATH, batchOptions(body));
    const posted = await edge.get(POST_PATH, batchOptions(body));
    const queried = await edge.get(QUERY_PATH, batchOptions(body, { method: 'QUERY' }));
    const { 'accept-query': acceptQuery, 'x-request-id': ownId, ...others } = Object.fromEntries(queried.headers);
    const { 'x-request-id': otherId, ...expected } = Object.fromEntries(posted.headers);
    expect(acceptQuery).toBe('application/json');
    expect(others).toEqual(expected);
    expect(ownId).not.toBe(otherId);
    expect(await queried.text()).toBe(await posted.text());
  });

  test('uses one manifest for any number of reads', async () => {
    edge.origins.behave('hangs', { region: 'asia', path: '/internal/v1/manifest' });
    const arrived = edge.origins.arrival('asia');
    const answer = sendBatch(edge, readsOf(['ann', 'bob', 'carl']));
    await arrived;
    edge.clock.advance(2_000);
    expect(statusesOf(await resultsOf(await answer))).toEqual([200, 200, 200]);
    expect(edge.origins.manifestReads()).toEqual(['asia', 'europe']);
  });
});

describe('a read', () => {
  test('that cannot be answered has a problem in its place, and its neighbours their lists', async () => {
    const results = await readBatch(edge, [
      home('ann'),
      home('a#b'),
      { user: 'bob', surface: 'radio' },
      home('nobody', { fallback: 'none' }),
      home('ann', { limit: 101 }),
      home('bob'),
    ]);
    const title = 'There is no such surface.';
    expect(statusesOf(results)).toEqual([200, 400, 404, 404, 400, 200]);
    expect(results[2]).toEqual({
      status: 404,
      user: 'bob',
      surface: 'radio',
      problem: {
        type: 'urn:earshot:problem:unknown_surface',
        title,
        status: 404,
        code: 'unknown_surface',
        detail: 'there is no surface "radio"',
      },
    });
    expect(results.map(({ problem }) => problem?.code)).toEqual([
      undefined,
      'invalid_request',
      'unknown_surface',
      'no_recommendations',
      'invalid_request',
      undefined,
    ]);
    expect(results.at(-1)).toMatchObject({ user: 'bob', items: Array(50).fill({}) });
    expect(edge.logs).toEqual([]);
  });

  test('for a user without a list gets the requested fallback', async () => {
    edge.origins.put(keyOf('~popular'), makeList('p'));
    const results = await readBatch(edge, [home('nobody'), home('nobody', { fallback: 'none' }), home('ann')]);
    expect(results.map(({ status, source }) => [status, source])).toEqual([
      [200, 'popular'],
      [404, undefined],
      [200, 'personal'],
    ]);
  });

  test('with a chosen variant is answered for a previewer, and an unknown variant is a 404', async () => {
    edge.origins.put(keyOf('ann', 'home', 'knn'), makeList('k'));
    const reads = [home('ann', { variant: 'knn' }), home('ann', { variant: 'als' }), home('ann')];
    const results = await readBatch(edge, reads, { scope: 'recs:read:any recs:preview' });
    expect(results.map(({ variant, problem }) => variant ?? problem?.code)).toEqual([
      'knn',
      'unknown_variant',
      'control',
    ]);
  });

  test('is not answered from another’s list, however its user is spelt', async () => {
    const users = ['ann', 'ANN', 'ann:', 'ann@', '..', 'a'.repeat(128)];
    for (const user of users) edge.origins.put(keyOf(user), makeList('x'.repeat(users.indexOf(user) + 1)));
    const results = await readBatch(edge, readsOf(users));
    expect(results.map(({ user, items }) => [user, items?.[0]?.id])).toEqual(
      users.map((user, i) => [user, `${'x'.repeat(i + 1)}:1`]),
    );
  });
});

describe('scopes', () => {
  const own = { sub: 'ann', scope: '' };

  test('none is needed while every user is the token’s own', async () => {
    expect(statusesOf(await readBatch(edge, [home('ann'), home('ann', { limit: 3 })], own))).toEqual([200, 200]);
  });

  test.each([
    ['one other user', [home('ann'), home('bob')], {}, 'recs:read:any'],
    ['a user whose spelling differs', [home('Ann')], {}, 'recs:read:any'],
    ['a chosen variant', [home('ann'), home('ann', { variant: 'control' })], {}, 'recs:preview'],
    ['debug output', [home('ann')], { 'earshot-debug': '1' }, 'recs:debug'],
  ])('for %s the whole request is refused, and no origin hears of it', async (_, reads, headers, scope) => {
    const response = await sendBatch(edge, reads, { ...own, headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'forbidden', detail: `the token lacks the scope ${scope}` });
    expect(response.headers.get('www-authenticate')).toContain(`scope="${scope}"`);
    expect(edge.origins.calls).toEqual([]);
  });

  test('none is needed for a read that is refused in its place', async () => {
    const results = await readBatch(edge, [home('ann'), home('bob', { limit: 0 }), 'bob'], own);
    expect(statusesOf(results)).toEqual([200, 400, 400]);
  });

  test('without a token there is nothing', async () => {
    const response = await sendBatch(edge, [home('ann')], { authorization: null });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="earshot"']);
  });
});

describe('with one region down', () => {
  test('all reads get their lists from the next', async () => {
    edge.origins.behave('refuses', { region: 'asia', path: LISTS });
    const response = await sendBatch(edge, readsOf(['ann', 'bob', 'carl']));
    expect(cacheStatusOf(response)).toEqual([
      { name: 'origin-asia', params: { fwd: 'miss', detail: expect.stringMatching(/^0\/[1-3]$/) } },
      { name: 'origin-europe', params: { fwd: 'miss', 'fwd-status': 200, detail: '3/3' } },
      { name: 'colo', params: { fwd: 'miss', stored: true, detail: '0/3' } },
      { name: 'isolate', params: { fwd: 'miss', stored: true, detail: '0/3' } },
    ]);
    expect(statusesOf(await resultsOf(response))).toEqual([200, 200, 200]);
  });
});

describe('with every region down', () => {
  const listsDown = () => edge.origins.behave('refuses', { path: LISTS });

  test('cached lists are served, and the others are a 503 in their place', async () => {
    await readBatch(edge, [home('ann')]);
    listsDown();
    const results = await readBatch(edge, [home('bob'), home('ann'), home('carl')]);
    expect(statusesOf(results)).toEqual([503, 200, 503]);
    expect(results[0]?.problem).toEqual({
      type: 'urn:earshot:problem:unavailable',
      title: 'The service is unavailable; try again.',
      status: 503,
      code: 'unavailable',
    });
  });

  test('a cached popular list is the fallback', async () => {
    edge.origins.put(keyOf('~popular'), makeList('p'));
    await readBatch(edge, [home('nobody')]);
    listsDown();
    const results = await readBatch(edge, [home('ann'), home('ann', { fallback: 'none' })]);
    expect(results.map(({ status, source }) => [status, source])).toEqual([
      [200, 'popular'],
      [503, undefined],
    ]);
  });

  test('reads that fail alike are one line of the log, with their trace and their number', async () => {
    await readBatch(edge, [home('ann')]);
    listsDown();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await readBatch(edge, readsOf(['bob', 'ann', 'carl']), { headers: { traceparent } });
    const failures = edge.logs.filter(({ event }) => event === 'read_failed');
    expect(failures.map(({ fields }) => fields)).toMatchObject([
      { status: 503, code: 'unavailable', reads: 2, route: POST_PATH, traceId: traceparent.slice(3, 35) },
    ]);
  });

  test('the request fails as a whole without a manifest', async () => {
    edge.origins.behave('refuses');
    const response = await sendBatch(edge, readsOf(['ann', 'bob']));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ code: 'unavailable' });
  });
});

describe('an unforeseen error', () => {
  const failing = new Set(['bob', 'carl']);
  const call = {
    deadlineAtMs: 0,
    regions: [],
    place: NOWHERE,
    failedRegions: new Set<string>(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(createManualClock()),
    waitUntil: () => {},
  };
  const served: Served = {
    list: makeList('a', 1),
    own: keyOf('ann'),
    assignment: {
      variant: { name: toName('control'), weight: 1, current: GENERATION },
      experiment: 'home',
      salt: 's',
      reason: 'weight',
    },
    source: 'personal',
    fallbackReason: undefined,
    trails: [],
  };
  const outcomeOf = (user: string) =>
    failing.has(user) ? toEarshotError(new TypeError(`x of ${user === 'bob' ? 'undefined' : 'null'}`), 'edge') : served;
  const serveReads: ServeReads = async (reads) => reads.map(({ user }) => outcomeOf(user));
  const answer = (serve: ServeReads, reads: readonly unknown[]) => {
    const deps: Parameters<typeof answerBatch>[0] = {
      builds: createBuilds(createCounters()),
      clock: edge.clock,
      config: edge.config,
      exposures: undefined,
      exposureTokens: undefined,
      inFlight: edge.inFlight,
      limits: NO_LIMITS,
      costs: createCallerCosts(),
      respondLarge: createRespondLarge(edge),
      log: { warn: () => {}, error: (event, fields) => edge.logs.push({ event, fields }) },
      manifests: {
        get: async () => makeManifest(),
        getFresh: () => undefined,
        peek: () => makeManifest(),
        status: () => ({ state: 'live', version: 1, confirmedForMs: 0, regions: [] }),
      },
      serveReads: serve,
    };
    const app = new Hono();
    app.post(POST_PATH, (c) =>
      answerBatch(
        deps,
        c,
        {
          user: toUserId('service'),
          scopes: new Set(['recs:read:any']),
          lacks: undefined,
          service: undefined,
          claims: undefined,
          arms: undefined,
        },
        call,
      ),
    );
    return app.request(POST_PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reads }),
    });
  };

  test('is a 500 in the place of its read, and in the log with its stack, each once', async () => {
    const response = await answer(serveReads, readsOf(['bob', 'ann', 'carl', 'bob']));
    const results = await resultsOf(response);
    expect(statusesOf(results)).toEqual([500, 200, 500, 500]);
    expect(results[0]?.problem).toEqual({
      type: 'urn:earshot:problem:internal',
      title: 'Something went wrong.',
      status: 500,
      code: 'internal',
    });
    expect(edge.logs.map(({ event, fields }) => [event, fields.message, fields.reads])).toEqual([
      ['read_failed', 'x of undefined', 2],
      ['read_failed', 'x of null', 1],
    ]);
    expect(edge.logs[0]?.fields.stack).toContain('TypeError: x of undefined');
  });

  test('never gives a read the outcome of another: one without an outcome is a 500', async () => {
    const results = await resultsOf(await answer(async () => [served], [{}, ...readsOf(['ann', 'bob'])]));
    expect(results.map(({ status, user }) => [status, user])).toEqual([
      [400, undefined],
      [200, 'ann'],
      [500, 'bob'],
    ]);
  });
});

describe('the debug output', () => {
  const debug = { headers: { 'earshot-debug': '1' }, scope: 'recs:read:any recs:debug' };

  test('counts the caches over all reads', async () => {
    edge.origins.put(keyOf('~popular'), makeList('p'));
    await readBatch(edge, readsOf(['ann', 'bob', 'nobody']));
    edge.loseIsolate();
    await readBatch(edge, readsOf(['ann']));
    const response = await sendBatch(edge, [...readsOf(['ann', 'bob', 'carl', 'nobody']), home('a#b')]);
    expect(response.headers.get('cache-status')).toBe(
      'origin-asia; fwd=miss; fwd-status=200; detail="1/1", colo; fwd=partial; stored; detail="2/3", isolate; fwd=partial; stored; detail="1/4"',
    );
  });

  test('has one Server-Timing entry per step, for any number of reads', async () => {
    const response = await sendBatch(edge, readsOf(['ann', 'bob', 'carl']));
    expect(response.headers.get('server-timing')).toBe(
      'token;dur=0, manifest;dur=0, colo;dur=0, origin;desc="asia";dur=0',
    );
  });

  test('shows debuggers the decision and the lookups of each list', async () => {
    const response = await sendBatch(edge, [home('ann'), home('a#b')], debug);
    expect(response.headers.get('earshot-regions')).toBe('asia, europe, us');
    expect(response.headers.get('earshot-decision')).toBeNull();
    const [ann, refused] = await resultsOf(response);
    const { cacheStatus, decision, ...others } = ann ?? { status: 0 };
    expect(decision).toBe(
      `manifest=1, variant=control;by=weight;experiment=home;salt="home-1", generation=${GENERATION};by=current, source=personal`,
    );
    const key = `home/control/${GENERATION}/ann`;
    expect(parseCacheStatus(String(cacheStatus)).map(({ name, params }) => [name, params.key])).toEqual(
      ['origin-asia', 'colo', 'isolate'].map((name) => [name, key]),
    );
    expect(refused).toEqual({ status: 400, user: 'a#b', surface: 'home', problem: expect.anything() });
    expect([others]).toEqual(await readBatch(edge, [home('ann')]));
  });

  test('shows other callers none of that', async () => {
    const response = await sendBatch(edge, [home('ann')], { scope: debug.scope });
    expect(response.headers.get('earshot-regions')).toBeNull();
    expect(await response.text()).not.toMatch(/cacheStatus|decision/);
  });
});
