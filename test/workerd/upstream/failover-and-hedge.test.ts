// The regions of a read: the nearest first, the next after a failure, each once, and none after the deadline.
import { beforeEach, describe, expect, test } from 'vitest';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import type { Behaviour } from '../support/scripted-origins.ts';
import { signToken } from '../support/tokens.ts';
import failures from './region-failures.json';

const PATH = '/v1/me/recommendations/home';
const LISTS = '/internal/v1/lists:read';
const DEV_LOCATIONS = JSON.stringify({
  NRT: { latitude: 35.76, longitude: 140.39 },
  FRA: { latitude: 50.03, longitude: 8.57 },
  IAD: { latitude: 38.95, longitude: -77.46 },
});
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
});

describe('the order of regions', () => {
  test.each([
    { place: 'Tokyo', cf: { latitude: '35.68', longitude: '139.76' }, first: 'asia' },
    { place: 'Berlin', cf: { latitude: '52.52', longitude: '13.40' }, first: 'europe' },
    { place: 'São Paulo', cf: { latitude: '-23.55', longitude: '-46.63' }, first: 'us' },
    { place: 'Midway, across the date line', cf: { latitude: '28.21', longitude: '-177.38' }, first: 'asia' },
    { place: 'an unknown place', cf: {}, first: 'asia' },
    { place: 'a place that is none', cf: { latitude: '', longitude: 'x' }, first: 'asia' },
    { place: 'a place off the map', cf: { latitude: '95', longitude: '10' }, first: 'asia' },
  ])('from $place begins with $first', async ({ cf, first }) => {
    await edge.get(PATH, { cf });
    expect(edge.origins.listReads()).toEqual([first]);
    expect(edge.origins.manifestReads()).toEqual([first]);
  });
});

describe('a named place', () => {
  beforeEach(() => {
    edge = createHarness({ env: { DEV_LOCATIONS } });
  });

  test('stands in for the caller’s own, in the local cloud', async () => {
    const cf = { latitude: '35.68', longitude: '139.76' };
    await edge.get(PATH, { cf, headers: { 'Earshot-Dev-Location': 'FRA' } });
    expect(edge.origins.listReads()[0]).toBe('europe');
  });

  test.each(['XXX', 'nrt', '', 'constructor'])('%j that is not known is refused, with those that are', async (code) => {
    const response = await edge.get(PATH, { headers: { 'Earshot-Dev-Location': code } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      detail: `expected Earshot-Dev-Location to be one of FRA, IAD, NRT, got ${JSON.stringify(code)}`,
    });
  });
});

describe('a region that fails', () => {
  interface Failure {
    readonly name: string;
    readonly behaviour: Behaviour;
    readonly member: string;
    readonly reason?: string;
    /** Default: region_failed. */
    readonly event?: string;
  }

  test.each(failures as Failure[])(
    'because it $name is passed over for the next',
    async ({ behaviour, member, reason, event = 'region_failed' }) => {
      await edge.get(PATH, { sub: 'warms-the-manifest' });
      edge.origins.behave(behaviour, { region: 'asia', path: LISTS });
      const before = edge.origins.listReads().length;
      const response = await edge.get(PATH);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-status')).toBe(
        `${member}, origin-europe; fwd=miss; fwd-status=200, colo; fwd=miss; stored, isolate; fwd=miss; stored`,
      );
      expect(edge.origins.listReads().slice(before)).toEqual(['asia', 'europe']);
      expect(edge.counters.get('edge_failovers_total')).toBe(1);
      expect(edge.counters.get('edge_origin_failures_total')).toBe(
        reason === undefined || event === 'table_failed' ? 0 : 1,
      );
      expect(edge.logs.map(({ event, fields }) => [event, fields.region, fields.reason])).toEqual(
        reason === undefined ? [] : [[event, 'asia', reason]],
      );
    },
  );

  test('leaves no timer behind, and no token in the log', async () => {
    edge.origins.behave(500, { region: 'asia' });
    await edge.get(PATH);
    expect(edge.clock.pending()).toBe(0);
    expect(JSON.stringify(edge.logs)).not.toMatch(/Bearer|eyJ/);
  });
});

describe('the deadline', () => {
  test('lets every region have an attempt, and ends a read if all of them hang', async () => {
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('hangs', { path: LISTS });
    const from = edge.origins.calls.length;
    const { value, tookMs } = await drive(edge.clock, edge.get(`${PATH}?fallback=none`));
    expect(value.status).toBe(503);
    expect(tookMs).toBeLessThanOrEqual(5_020);
    const asked = edge.origins.calls.slice(from);
    expect(asked.map(({ region, signal }) => [region, signal?.aborted])).toEqual([
      ['asia', true],
      ['europe', true],
      ['us', true],
    ]);
    for (const { headers } of asked) expect(Number(headers.get('earshot-deadline-ms'))).toBeLessThanOrEqual(2_000);
    expect(edge.clock.pending()).toBe(0);
  });

  test('gives a region no more than ORIGIN_TIMEOUT_MS, however much is left', async () => {
    edge.origins.behave('refuses', { region: 'asia', path: LISTS });
    await edge.get(PATH);
    const deadlines = edge.origins.calls.map(({ headers }) => headers.get('earshot-deadline-ms'));
    // The manifest's refresh has a deadline of its own, of which each region gets a share.
    expect(deadlines).toEqual(['1666', '2000', '2000']);
  });

  test('still lets the one healthy region answer an isolate that has nothing yet, and every request that waits with it', async () => {
    edge.origins.put(keyOf('bob'), makeList('b'));
    for (const region of ['asia', 'europe']) edge.origins.behave('hangs', { region });
    const startedAtMs = edge.clock.now();
    const inAsia = edge.origins.arrival('asia');
    const answers = ['ann', 'bob'].map((sub) => edge.get(PATH, { sub }));
    await inAsia;
    const inEurope = edge.origins.arrival('europe');
    edge.clock.advance(1_666);
    await inEurope;
    edge.clock.advance(1_667);
    for (const response of await Promise.all(answers)) {
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ source: 'personal' });
    }
    expect(edge.clock.now() - startedAtMs).toBe(3_333);
    expect(edge.origins.manifestReads()).toEqual(['asia', 'europe', 'us']);
    expect(edge.origins.listReads()).toEqual(['us', 'us']);
  });

  test('that has passed prevents further attempts', async () => {
    edge = createHarness({ env: { REQUEST_DEADLINE_MS: '1500' } });
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.origins.behave('hangs', { path: LISTS });
    const before = edge.origins.listReads().length;
    const arrived = edge.origins.arrival('asia');
    const answer = edge.get(PATH);
    await arrived;
    edge.clock.advance(1_500);
    expect((await answer).status).toBe(503);
    expect(edge.origins.listReads().slice(before)).toEqual(['asia']);
  });
});

describe('a request to an origin carries', () => {
  test('the trace that the caller is in, when it is one, and that it is not recorded', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await edge.get(PATH, { headers: { traceparent } });
    await edge.get(PATH, { sub: 'bob', headers: { traceparent: 'x'.repeat(4000) } });
    const traces = edge.origins.calls
      .filter(({ path }) => path === LISTS)
      .map(({ headers }) => headers.get('traceparent'));
    // The caller cannot make origins record.
    expect(traces[0]).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-00$/);
    expect(traces[1]).toBe(null);
  });

  test('not by way of a redirect, which would show the token to another host', async () => {
    await edge.get(PATH);
    expect(edge.origins.calls.map(({ redirect }) => redirect)).toEqual(['manual', 'manual']);
  });

  test('nothing of the listener’s own headers, the token least of all', async () => {
    const authorization = `Bearer ${await signToken({ nowMs: edge.clock.now() })}`;
    await edge.get(PATH, { authorization, headers: { cookie: 'a=b', 'x-forwarded-for': '192.0.2.1' } });
    for (const { headers } of edge.origins.calls) {
      expect(headers.get('authorization')).not.toBe(authorization);
      expect([...headers.keys()].filter((name) => ['cookie', 'x-forwarded-for'].includes(name))).toEqual([]);
    }
  });
});
