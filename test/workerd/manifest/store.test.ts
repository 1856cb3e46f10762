// The live manifest at the edge: its maximum age, the requests that wait for a newer one, and the answers without one.
// The file is long, because it holds every state of the store, with one set of helpers.

import { beforeEach, describe, expect, test, vi } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import { patience } from '../../support/patience.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const MANIFEST = '/internal/v1/manifest';
const LISTS = '/internal/v1/lists:read';
let edge: Harness;

/**
 * A manifest whose only list for ann has `version` as the offset of its generation, so that an answer reveals the
 * manifest.
 */
function manifestOf(version: number) {
  const { home } = makeManifest().surfaces;
  if (home === undefined) throw new Error('expected the surface home');
  const variants = [{ name: toName('control'), weight: 10_000, current: GENERATION + version }];
  return makeManifest({ version, surfaces: { home: { ...home, variants } } });
}

function publish(version: number, region?: string): void {
  edge.origins.publish(manifestOf(version), region);
  const generation = GENERATION + version;
  edge.origins.put({ ...keyOf('ann'), generation }, makeList('a', 1, generation));
}

/** The manifest version behind an answer. */
async function versionOf(response: Response | Promise<Response>): Promise<number> {
  const { generation } = (await (await response).json()) as { generation: string };
  return Date.parse(generation) - GENERATION;
}

const read = (): Promise<Response> => edge.get(PATH, { expiresInSeconds: 1_000_000 });
/** 404 with a manifest, 503 without one, independent of lists. */
const readUnknown = (): Promise<Response> => edge.get('/v1/me/recommendations/radio', { expiresInSeconds: 1_000_000 });
const asked = (): string[] => edge.origins.manifestReads();

beforeEach(() => {
  edge = createHarness();
  publish(1);
});

describe('the manifest', () => {
  test('is requested once in 5 seconds', async () => {
    await read();
    edge.clock.advance(4_999);
    await read();
    expect(asked()).toEqual(['asia']);
  });

  test('is served between 5 and 10 seconds while one refresh runs beside the requests', async () => {
    await read();
    publish(2);
    edge.origins.behave('hangs', { region: 'asia', path: MANIFEST });
    edge.clock.advance(5_000);
    const inAsia = edge.origins.arrival('asia');
    const withRefresh = edge.get(PATH);
    await inAsia;
    expect(await versionOf(edge.send(PATH))).toBe(1);
    expect(asked()).toEqual(['asia', 'asia']);
    edge.clock.advance(2_000);
    expect(await versionOf(withRefresh)).toBe(1);
    expect(await versionOf(read())).toBe(2);
    expect(asked()).toEqual(['asia', 'asia', 'europe']);
  });

  test('is confirmed without being sent again when nothing changed', async () => {
    await read();
    edge.clock.advance(5_000);
    await read();
    expect(
      edge.origins.calls.filter(({ path }) => path === MANIFEST).map(({ headers }) => headers.get('if-none-match')),
    ).toEqual([null, '"1"']);
    edge.clock.advance(4_999);
    await read();
    expect(asked()).toHaveLength(2);
  });

  test('older than 10 seconds is waited for, by all requests together', async () => {
    await read();
    publish(2);
    edge.clock.advance(10_000);
    const versions = await Promise.all(Array.from({ length: 20 }, () => versionOf(read())));
    expect(new Set(versions)).toEqual(new Set([2]));
    expect(asked()).toEqual(['asia', 'asia']);
  });

  test('comes from the next region when the nearest fails', async () => {
    edge.origins.behave('garbles', { region: 'asia', path: MANIFEST });
    edge.origins.behave(500, { region: 'europe', path: MANIFEST });
    expect(await versionOf(read())).toBe(1);
    expect(asked()).toEqual(['asia', 'europe', 'us']);
  });

  test('is not accepted if it is invalid', async () => {
    edge.origins.publish({ version: 2, surfaces: { Home: {} } } as never, 'asia');
    expect(await versionOf(read())).toBe(1);
    expect(asked()).toEqual(['asia', 'europe']);
    expect(edge.logs.map(({ event }) => event)).toEqual(['manifest_invalid']);
  });

  test.each<[what: string, broken: object]>([
    ['too large', { ...manifestOf(2), later: 'x'.repeat(262_144) }],
    ['of a version that no writer reaches', { ...manifestOf(2), version: 2 ** 53 - 1 }],
  ])('stays if every region sends one that is %s, and the log and a counter tell it', async (_what, broken) => {
    await read();
    edge.origins.publish(broken as never);
    edge.clock.advance(10_000);
    expect(await versionOf(read())).toBe(1);
    expect(edge.counters.get('edge_manifests_refused_total')).toBe(3);
    expect(edge.logs.map(({ event }) => event)).toEqual([
      ...Array(3).fill('manifest_invalid'),
      'manifest_refresh_failed',
    ]);
    publish(3);
    edge.clock.advance(10_000);
    expect(await versionOf(read())).toBe(3);
  });
});

test('a manifest with fields of a later version is accepted', async () => {
  edge.origins.publish({ ...manifestOf(1), version: 2, holidays: [] } as never);
  expect(await versionOf(read())).toBe(1);
  expect(edge.logs).toEqual([]);
});

describe('its version', () => {
  test('never goes backwards: a lagging region is passed over', async () => {
    publish(5);
    await read();
    edge.origins.publish(manifestOf(4), 'asia');
    publish(6, 'europe');
    edge.clock.advance(10_000);
    expect(await versionOf(read())).toBe(6);
    expect(asked()).toEqual(['asia', 'asia', 'europe']);
  });

  test('stays, and counts as confirmed, when every region lags', async () => {
    publish(5);
    await read();
    edge.origins.publish(manifestOf(4));
    edge.clock.advance(10_000);
    expect(await versionOf(read())).toBe(5);
    edge.clock.advance(4_999);
    expect(await versionOf(read())).toBe(5);
    expect(asked()).toEqual(['asia', 'asia', 'europe', 'us']);
    expect(edge.counters.get('edge_manifest_failures_total')).toBe(0);
    expect(edge.counters.get('edge_manifests_behind_total')).toBe(1);
    expect(edge.logs).toEqual([{ event: 'manifest_behind', fields: { heldVersion: 5 } }]);
  });

  test('is dropped after 24 hours without a region that has it, as after a restore', async () => {
    publish(5);
    await read();
    publish(3);
    for (let hour = 0; hour < 23; hour++) {
      edge.clock.advance(3_600_000);
      expect(await versionOf(read())).toBe(5);
    }
    edge.clock.advance(3_600_000);
    expect(await versionOf(read())).toBe(3);
  });
});

describe('a region that fails on the manifest', () => {
  test.each(['refuses', 500, 503] as const)(
    'because it answers %j is not asked for the list of a request that waited',
    async (behaviour) => {
      edge.origins.behave(behaviour, { region: 'asia', path: MANIFEST });
      expect((await read()).status).toBe(200);
      expect(edge.origins.listReads()).toEqual(['europe']);
    },
  );

  test.each(['garbles', 404] as const)('because it answers %j is asked, being up', async (behaviour) => {
    edge.origins.behave(behaviour, { region: 'asia', path: MANIFEST });
    await read();
    expect(edge.origins.listReads()).toEqual(['asia']);
  });

  test('gets the list’s read if all regions do, because the manifest itself may be wrong', async () => {
    await read();
    edge.origins.behave(503, { path: MANIFEST });
    edge.clock.advance(10_000);
    edge.origins.put({ ...keyOf('bob'), generation: GENERATION + 1 }, makeList('b', 1, GENERATION + 1));
    expect(await (await edge.get(PATH, { sub: 'bob' })).json()).toMatchObject({ source: 'personal' });
    expect(asked()).toEqual(['asia', 'asia', 'europe', 'us']);
    expect(edge.origins.listReads()).toEqual(['asia', 'asia']);
  });

  test('gets the list’s read of a request that did not wait for the manifest', async () => {
    await read();
    edge.origins.behave('refuses', { region: 'europe', path: MANIFEST });
    edge.origins.behave('garbles', { region: 'asia', path: MANIFEST });
    edge.origins.behave('hangs', { region: 'asia', path: LISTS });
    edge.clock.advance(5_000);
    const inAsia = edge.origins.arrival('asia');
    const answer = edge.get(PATH, { sub: 'bob' });
    await inAsia;
    await vi.waitUntil(() => asked().length === 4 && edge.origins.listReads().length === 2, patience.expect.poll);
    edge.clock.advance(2_000);
    await answer;
    expect(edge.origins.listReads().slice(0, 3)).toEqual(['asia', 'asia', 'europe']);
  });
});

describe('with every origin down', () => {
  beforeEach(async () => {
    await read();
    edge.origins.behave('refuses');
  });

  test('the last manifest is kept for 24 hours, and no longer', async () => {
    edge.clock.advance(86_399_999);
    expect((await readUnknown()).status).toBe(404);
    edge.clock.advance(1);
    const response = await readUnknown();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(edge.counters.get('edge_manifest_failures_total')).toBeGreaterThan(0);
  });

  test('requests are served from it without waiting, and origins get at most one request a second', async () => {
    edge.clock.advance(10_000);
    await read();
    expect(asked()).toHaveLength(4);
    edge.origins.behave('hangs');
    edge.clock.advance(999);
    await edge.send(PATH);
    expect(asked()).toHaveLength(4);
    edge.clock.advance(1);
    const arrived = edge.origins.arrival('asia');
    expect((await edge.send(PATH)).status).toBe(200);
    await arrived;
    expect(asked()).toHaveLength(5);
  });

  test('a recovered manifest is accepted', async () => {
    edge.clock.advance(60_000);
    await read();
    edge.origins.behave('up');
    publish(2);
    edge.clock.advance(1_000);
    await read();
    expect(await versionOf(read())).toBe(2);
  });
});

describe('an isolate that is new', () => {
  test('starts from the manifest of its data centre', async () => {
    await read();
    edge.loseIsolate();
    edge.clock.advance(4_999);
    await read();
    expect(asked()).toEqual(['asia']);
  });

  test('asks the origins if the cached one is stale, and sends its version', async () => {
    await read();
    edge.loseIsolate();
    edge.clock.advance(5_000);
    await read();
    expect(edge.origins.calls.findLast(({ path }) => path === MANIFEST)?.headers.get('if-none-match')).toBe('"1"');
  });

  test('lives on the one there when no origin answers', async () => {
    await read();
    edge.loseIsolate();
    edge.origins.behave('refuses');
    edge.clock.advance(3_600_000);
    expect(await versionOf(read())).toBe(1);
  });

  test('without any manifest answers 503, and does not ask again within a second', async () => {
    edge.origins.behave('refuses');
    const response = await read();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ code: 'unavailable' });
    expect((await read()).status).toBe(503);
    expect(asked()).toEqual(['asia', 'europe', 'us']);
    edge.origins.behave('up');
    edge.clock.advance(1_000);
    expect((await read()).status).toBe(200);
  });

  test("gets a neighbour's new manifest without asking an origin", async () => {
    await read();
    const neighbour = createHarness({ keyOrigin: edge.keyOrigin });
    neighbour.origins.publish(manifestOf(2));
    neighbour.clock.advance(5_000);
    await neighbour.get(PATH, { sub: 'somebody-else' });
    publish(2);
    edge.clock.advance(8_000);
    await read();
    expect(await versionOf(read())).toBe(2);
    expect(asked()).toEqual(['asia']);
  });
});

test('a request that waits for a manifest gives up at its deadline', async () => {
  edge = createHarness({ env: { REQUEST_DEADLINE_MS: '3000', ORIGIN_TIMEOUT_MS: '2000' } });
  edge.origins.behave('hangs', { path: MANIFEST });
  let answer: Promise<Response> | undefined;
  for (const [region, ms] of [
    ['asia', 1_000],
    ['europe', 1_000],
    ['us', 1_000],
  ] as const) {
    const arrived = edge.origins.arrival(region);
    answer ??= read();
    await arrived;
    edge.clock.advance(ms);
  }
  expect((await answer)?.status).toBe(503);
  expect(asked()).toEqual(['asia', 'europe', 'us']);
  expect(edge.clock.pending()).toBe(0);
});
