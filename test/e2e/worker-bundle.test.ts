// The deployed worker, bundled by wrangler, in workerd with its Durable Objects, over HTTP and in real time.
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Ask, createHttpLoad } from '../../bench/load/http-load.ts';
import { createBatchAsks, makeListAsks, TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import { type ListOrigin, startListOrigin } from '../../bench/rigs/list-origin.ts';
import { startWorkerd, type Workerd } from '../../bench/rigs/workerd.ts';
import { shareEdgeBundle } from '../support/shared-bundle/shared-bundle.ts';

const PLACES = {
  NRT: { latitude: 35.76, longitude: 140.39 },
  LHR: { latitude: 51.47, longitude: -0.45 },
  ORD: { latitude: 41.98, longitude: -87.9 },
} as const;
const ASIA = { name: 'asia', locationHint: 'apac', ...PLACES.NRT };
const EUROPE = { name: 'europe', locationHint: 'weur', ...PLACES.LHR };
const CONNECTIONS = 120;

let origin: ListOrigin;
let workerd: Workerd;
/** Lists are answered after it resolves. */
let gate: PromiseWithResolvers<void>;
let arrived: PromiseWithResolvers<void>;
/** Aborted when the caller of the origin closes its connection. */
let asker: AbortSignal;

beforeEach(async () => {
  gate = Promise.withResolvers();
  arrived = Promise.withResolvers();
  const beforeLists = async (signal: AbortSignal): Promise<void> => {
    asker = signal;
    arrived.resolve();
    await gate.promise;
  };
  origin = await startListOrigin({ beforeLists });
  // One region only: a slow machine then causes no second read, and the count shows what singleflight lets through.
  workerd = await startEdge([{ ...ASIA, origin: origin.url }]);
});

async function startEdge(regions: readonly object[], more: Readonly<Record<string, string>> = {}): Promise<Workerd> {
  const bundle = await shareEdgeBundle();
  const bindings = {
    ...bundle.vars,
    ENVIRONMENT: 'local',
    REGIONS: JSON.stringify(regions),
    DEV_LOCATIONS: JSON.stringify(PLACES),
    POPULAR_WARM_SECONDS: '0',
    TOKEN_SECRET,
    ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-',
    ...more,
  };
  return startWorkerd({ bundle, bindings, objects: { REGION_CACHE: 'RegionCache' } });
}

afterEach(async () => {
  await workerd.stop();
  await origin.stop();
});

async function askFor(user: string, place: keyof typeof PLACES = 'NRT'): Promise<Ask> {
  const [{ path, headers }] = (await makeListAsks([user])) as [Ask];
  return { path, headers: { ...headers, 'earshot-dev-location': place } };
}
const send = ({ path, headers }: Ask, signal?: AbortSignal) =>
  fetch(`http://127.0.0.1:${workerd.port}${path}`, { headers: { ...headers }, signal: signal ?? null });

test('a cold list whose only caller disconnects is loaded once, to the end, and serves the next read', async () => {
  const gone = new AbortController();
  const ask = await askFor('ann');
  const given = send(ask, gone.signal);
  await arrived.promise;
  gone.abort();
  await expect(given).rejects.toThrow('aborted');
  gate.resolve();
  const next = await send(ask);
  expect(next.status).toBe(200);
  expect(await next.json()).toMatchObject({ user: 'ann', source: 'personal', items: Array(50).fill({}) });
  expect(origin.reads).toBe(1);
});

test('followers of a leader that disconnects get the list', async () => {
  const gone = new AbortController();
  const ask = await askFor('ann');
  const leader = send(ask, gone.signal);
  await arrived.promise;
  const followers = Promise.all(Array.from({ length: 20 }, () => send(ask)));
  gone.abort();
  await expect(leader).rejects.toThrow('aborted');
  gate.resolve();
  const bodies = await Promise.all((await followers).map((response) => response.text()));
  expect(new Set(bodies).size).toBe(1);
  expect(bodies[0]).toContain('"user":"ann"');
  expect(origin.reads).toBe(1);
});

test('10 000 cold reads of one list, over real connections from three places, are one read where they meet in one isolate', async () => {
  const asks = await Promise.all((Object.keys(PLACES) as (keyof typeof PLACES)[]).map((place) => askFor('ann', place)));
  const load = createHttpLoad(workerd.port, CONNECTIONS);
  const bodies = new Set<string>();
  const done = load.run(
    10_000,
    (i) => asks[i % asks.length] as Ask,
    ({ status, body }) => {
      expect(status).toBe(200);
      bodies.add(body.toString());
    },
  );
  await arrived.promise;
  gate.resolve();
  await done;
  load.close();
  expect(bodies.size).toBe(1);
  expect([...bodies][0]).toContain('"user":"ann"');
  expect(origin.reads).toBe(1);
});

test('a batch of 100 cold lists goes through the objects of the region, and each user gets their own', async () => {
  gate.resolve();
  const users = Array.from({ length: 100 }, (_, i) => `u${i}`);
  const { path, headers, body } = (await createBatchAsks())(users);
  const response = await fetch(`http://127.0.0.1:${workerd.port}${path}`, {
    method: 'POST',
    headers: { ...headers, 'earshot-dev-location': 'NRT' },
    body: body ?? null,
  });
  const { results } = (await response.json()) as { results: { status: number; user: string }[] };
  expect(results.map(({ status, user }) => [status, user])).toEqual(users.map((user) => [200, user]));
  expect(origin.reads).toBe(100);
  expect(response.headers.get('cache-status')).toMatch(
    /^origin-asia; fwd=miss; fwd-status=200; detail="100\/100", region-asia; fwd=miss; stored; detail="0\/100", /,
  );
});

test("a load that lost to another region is cancelled through its region's object up to the origin", async () => {
  const other = await startListOrigin();
  try {
    await workerd.stop();
    const regions = [
      { ...ASIA, origin: origin.url },
      { ...EUROPE, origin: other.url },
    ];
    // Long timeouts, so that none ends the load.
    workerd = await startEdge(regions, { REQUEST_DEADLINE_MS: '60000', ORIGIN_TIMEOUT_MS: '30000' });
    const response = await send(await askFor('ann'));
    expect(response.headers.get('cache-status')).toMatch(
      /^origin-asia; fwd=miss; detail=cancelled, origin-europe; fwd=miss; fwd-status=200, region-europe; fwd=miss; stored, /,
    );
    if (!asker.aborted) await once(asker, 'abort');
    expect([origin.reads, other.reads]).toEqual([1, 1]);
  } finally {
    gate.resolve();
    await other.stop();
  }
});
