// Exposures: a token on each answer of an experiment, reports of shown lists, and reports that are refused or dropped.
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createQueueSink, MAX_SENDING, type ShownExposure } from '../../../edge/exposures/sink.ts';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { createHarness, type GetOptions, type Harness, ONE_REGION } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const HASH_KEY = 'hash-key-for-tests-only-0123456789-abcdef';
const ALL = [[0, 10_000]] as const;
const RANKING = {
  ...{ surface: 'home', layer: 'home', salt: 'ranking-1', state: 'running', slots: ALL, control: 'control' },
  arms: [
    { variant: 'knn', buckets: ALL },
    { variant: 'control', buckets: [] },
  ],
};
let edge: Harness;
let sent: ShownExposure[];
let messages: number;
let failure: Error | undefined;

const makeEdge = (env: object = {}) =>
  createHarness({
    env: { ...ONE_REGION, HASH_KEY, ...env },
    exposureSink: {
      send: async (exposures) => {
        if (failure !== undefined) throw failure;
        messages += 1;
        sent.push(...exposures);
      },
    },
  });

beforeEach(() => {
  sent = [];
  messages = 0;
  failure = undefined;
  edge = makeEdge();
  for (const variant of ['control', 'knn'])
    for (const user of ['ann', 'bob', '~popular']) edge.origins.put(keyOf(user, 'home', variant), makeList(variant));
  edge.origins.publish(makeManifest({ version: 2, experiments: { ranking: RANKING } } as unknown as Partial<Manifest>));
});

const read = async (options: GetOptions = {}, path = PATH): Promise<string | null> =>
  (await edge.get(path, { sub: 'ann', ...options })).headers.get('earshot-exposure');

async function report(exposures: unknown, options: GetOptions = {}) {
  const response = await edge.get('/v1/exposures', {
    ...{ sub: 'ann', method: 'POST', body: JSON.stringify({ exposures }) },
    ...options,
    headers: { 'content-type': 'application/json', ...options.headers },
  });
  return { status: response.status, body: (await response.json()) as object };
}

describe('a token', () => {
  test('stands on a cold read, a hit and a 304: the same token, with the tier that answered', async () => {
    const [cold, hit] = [await read(), await read()];
    expect(cold).toMatch(/^v1\.[\w-]+\.[\w-]{22};tier=(region|origin);region=\w+$/);
    expect(hit).toMatch(/;tier=isolate$/);
    expect(hit?.split(';')[0]).toBe(cold?.split(';')[0]);
    const etag = (await edge.get(PATH, { sub: 'ann' })).headers.get('etag') ?? '';
    const confirmed = await edge.get(PATH, { sub: 'ann', headers: { 'if-none-match': etag } });
    expect([confirmed.status, confirmed.headers.get('earshot-exposure')]).toEqual([304, hit]);
  });

  test('names neither the user nor the hash that matches erasures', async () => {
    const token = (await read())?.split(';')[0] ?? '';
    const payload = atob(token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '');
    expect(JSON.parse(payload)).toEqual([
      ...[expect.stringMatching(/^[\w-]{16}$/), 'ranking', 'knn', 'ranking-1', GENERATION],
      ...['personal', 'bucket', Math.floor(edge.clock.now() / 3_600_000)],
    ]);
    expect(payload).not.toContain('ann');
    expect(payload).not.toContain(makeUserHash('ann'));
  });

  test('is made again in the next hour, and for another assignment', async () => {
    const first = (await read())?.split(';')[0];
    edge.clock.advance(3_600_000);
    expect((await read())?.split(';')[0]).not.toBe(first);
  });

  test('of a popular list is of each user alone', async () => {
    const tokens = [await read({ sub: 'carl' }), await read({ sub: 'dora' }), await read({ sub: 'carl' })];
    const [carl, dora, again] = tokens.map((token) => token?.split(';')[0]);
    expect(carl).not.toBe(dora);
    expect(again).toBe(carl);
  });

  test('stands in each result of a batch', async () => {
    const reads = ['ann', 'bob'].map((user) => ({ user, surface: 'home' }));
    const response = await edge.get('/v1/recommendations:batch', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, scope: 'recs:read:any' },
      body: JSON.stringify({ reads }),
    });
    const { results } = (await response.json()) as { results: { exposure?: string }[] };
    expect(results.map(({ exposure }) => exposure)).toEqual([
      expect.stringMatching(/^v1\.[\w-]+\.[\w-]{22};tier=/),
      expect.stringMatching(/^v1\.[\w-]+\.[\w-]{22};tier=/),
    ]);
    expect(results[0]?.exposure?.split(';')[0]).toBe((await read())?.split(';')[0]);
  });

  test('is on no preview, on no surface with one variant, and nowhere without a key', async () => {
    expect(await read({ scope: 'recs:preview' }, `${PATH}?variant=knn`)).toBeNull();
    edge.origins.publish(makeManifest({ version: 3 }));
    edge.clock.advance(10_000);
    await read();
    expect(await read()).toBeNull();
    edge = makeEdge({ HASH_KEY: undefined });
    edge.origins.put(keyOf('ann'), makeList('a'));
    expect(await read()).toBeNull();
  });
});

describe('a report', () => {
  test('is sent on once, with what the token and the app say', async () => {
    const token = await read();
    expect(await report([token], { cf: { country: 'SE' } })).toEqual({
      status: 202,
      body: { accepted: 1, dropped: {} },
    });
    const [id] = token?.split(';')[0]?.split('.').slice(-1) ?? [];
    expect(sent).toEqual([
      {
        ...{ id, atMs: edge.clock.now(), userRef: expect.any(String), experiment: 'ranking', arm: 'knn' },
        ...{ salt: 'ranking-1', generation: GENERATION, source: 'personal', reason: 'bucket', country: 'SE' },
        hour: expect.any(Number),
        ...{ tier: expect.stringMatching(/^(region|origin)$/), region: expect.any(String) },
      },
    ]);
    expect(await report([token])).toMatchObject({ body: { accepted: 0, dropped: { repeated: 1 } } });
    expect(await report([await read(), await read()])).toMatchObject({ body: { dropped: { repeated: 2 } } });
    edge.clock.advance(120_000);
    expect(await report([token, token])).toMatchObject({ body: { accepted: 1, dropped: { repeated: 1 } } });
    expect(sent).toHaveLength(2);
    expect(sent[1]?.id).toBe(sent[0]?.id);
  });

  test('of another user is dropped, unless a service reports it', async () => {
    const token = await read();
    expect(await report([token], { sub: 'bob' })).toMatchObject({ body: { accepted: 0, dropped: { other_user: 1 } } });
    expect(sent).toEqual([]);
    const service = { sub: 'service', scope: 'recs:read:any' };
    expect(await report([token], service)).toMatchObject({ body: { accepted: 1 } });
  });

  test('of a service has no country: the service is elsewhere than the user', async () => {
    const token = await read({ cf: { country: 'SE' } });
    await report([token], { sub: 'service', scope: 'recs:read:any', cf: { country: 'US' } });
    expect(sent.map(({ country }) => country)).toEqual([undefined]);
  });

  test('is good for 24 h from the last moment of an hour on', async () => {
    edge.clock.advance(3_600_000 - (edge.clock.now() % 3_600_000) - 1);
    const token = await read();
    edge.clock.advance(24 * 3_600_000);
    expect(await report([token])).toMatchObject({ body: { accepted: 1 } });
    edge.clock.advance(3_600_000);
    expect(await report([token])).toMatchObject({ body: { accepted: 0, dropped: { expired: 1 } } });
  });

  test('is good for less than 25 h from the first moment of an hour on', async () => {
    edge.clock.advance(3_600_000 - (edge.clock.now() % 3_600_000));
    const token = await read();
    edge.clock.advance(25 * 3_600_000 - 1);
    expect(await report([token])).toMatchObject({ body: { accepted: 1 } });
    edge.clock.advance(1);
    expect(await report([token])).toMatchObject({ body: { accepted: 0, dropped: { expired: 1 } } });
  });

  test('that is forged, cut, changed, of another key or of no known place is dropped', async () => {
    const good = (await read()) ?? '';
    const [version, payload = '', signature = ''] = good.split(';')[0]?.split('.') ?? [];
    const tail = good.slice(good.indexOf(';'));
    const other = payload.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const key = edge;
    edge = makeEdge({ HASH_KEY: 'another-key-for-tests-only-0123456789-abc' });
    edge.origins.put(keyOf('ann', 'home', 'knn'), makeList('knn'));
    edge.origins.publish(
      makeManifest({ version: 2, experiments: { ranking: RANKING } } as unknown as Partial<Manifest>),
    );
    const foreign = await read();
    edge = key;
    const bad = [
      '',
      'x',
      good.split(';')[0],
      good.slice(0, 40),
      `${version}.${other}.${signature}${tail}`,
      `${version}.${payload}.${signature.slice(1)}${tail}`,
      `v2.${payload}.${signature}${tail}`,
      `${version}.${payload}.${'A'.repeat(22)}${tail}`,
      foreign,
      good.replace(/;tier=\w+/, ';tier=moon'),
      good.replace(/;region=\w+/, ';region=moon'),
      `${good};x=1`,
      `${good}\n`,
    ];
    expect(await report(bad)).toEqual({ status: 202, body: { accepted: 0, dropped: { invalid: bad.length } } });
    expect(sent).toEqual([]);
  });

  test.each<[string, unknown, number]>([
    ['101 at once', Array.from({ length: 101 }, () => 'x'), 400],
    ['none', [], 400],
    ['no list', 'x', 400],
    ['an element that is no text', [1], 400],
    ['an element that is too long', ['x'.repeat(769)], 400],
    ['too many bytes', Array.from({ length: 200 }, () => 'x'.repeat(700)), 413],
  ])('with %s is refused', async (_case, exposures, status) => {
    expect((await report(exposures)).status).toBe(status);
    expect(sent).toEqual([]);
  });

  test('without a token is refused, and without a queue there is no such place', async () => {
    expect((await report(['x'], { authorization: null })).status).toBe(401);
    edge = createHarness({ env: { ...ONE_REGION, HASH_KEY } });
    expect((await report(['x'])).status).toBe(404);
  });

  test('is not lost by a sink that fails: the caller is told, the loss is counted, and a repeat is stored', async () => {
    const token = await read();
    failure = new Error('the queue is full');
    expect(await report([token])).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(edge.counters.get('edge_exposures_lost_total')).toBe(1);
    expect(await read()).toBe((await read())?.toString());
    failure = undefined;
    expect(await report([token])).toMatchObject({ status: 202, body: { accepted: 1 } });
    expect(edge.counters.get('edge_exposures_total')).toBe(1);
  });
});

describe('a surface whose answers count as shown', () => {
  function publishServed(): void {
    const { surfaces } = makeManifest();
    const home = { ...surfaces.home, exposure: 'served' };
    const experiments = { ranking: RANKING };
    edge.origins.publish(makeManifest({ version: 3, surfaces: { ...surfaces, home }, experiments } as never));
  }

  beforeEach(publishServed);

  test('counts an answer that was sent: no HEAD, and no list that a batch has no room for', async () => {
    await edge.get(PATH, { sub: 'ann', method: 'HEAD' });
    expect(sent).toEqual([]);
    edge = makeEdge({ MAX_ANSWER_BYTES: '65536' });
    publishServed();
    for (const variant of ['control', 'knn']) edge.origins.put(keyOf('~popular', 'home', variant), makeList(variant));
    const response = await edge.get('/v1/recommendations:batch', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, scope: 'recs:read:any' },
      body: JSON.stringify({ reads: Array.from({ length: 100 }, (_, i) => ({ user: `u:${i}`, surface: 'home' })) }),
    });
    const { results } = (await response.json()) as { results: { status: number }[] };
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200, 413]));
    expect(sent).toHaveLength(results.filter(({ status }) => status === 200).length);
  });

  test('sends the exposures of a batch as one message', async () => {
    await edge.get('/v1/recommendations:batch', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, scope: 'recs:read:any' },
      body: JSON.stringify({ reads: ['ann', 'bob', 'carl'].map((user) => ({ user, surface: 'home' })) }),
    });
    expect([messages, sent.length]).toEqual([1, 3]);
  });

  test('sends each exposure once, on a cold read, hits and batches', async () => {
    const first = await read();
    await read();
    await edge.get('/v1/recommendations:batch', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, scope: 'recs:read:any' },
      body: JSON.stringify({ reads: ['ann', 'ann', 'bob'].map((user) => ({ user, surface: 'home' })) }),
    });
    expect(sent.map(({ arm, tier }) => [arm, tier])).toEqual([
      ['knn', expect.stringMatching(/^(region|origin)$/)],
      ['knn', expect.stringMatching(/^(region|origin)$/)],
    ]);
    expect(sent[0]?.id).toBe(first?.split(';')[0]?.slice(-22));
    expect(new Set(sent.map(({ userRef }) => userRef)).size).toBe(2);
  });

  test('is read all the same when the sink fails, and the loss is counted exactly', async () => {
    failure = new Error('the queue is down');
    for (const sub of ['ann', 'bob', 'carl'])
      expect((await edge.get(PATH, { sub })).headers.get('earshot-exposure')).toMatch(/^v1\./);
    expect(edge.counters.get('edge_exposures_lost_total')).toBe(3);
    expect(sent).toEqual([]);
  });
});

test('a queue that does not answer has a bounded number of messages under way, and is asked again afterwards', async () => {
  const clock = createManualClock();
  let asked = 0;
  const sink = createQueueSink({ send: () => new Promise(() => asked++) }, clock);
  const results: string[] = [];
  const send = () => sink.send([]).catch((error: Error) => results.push(error.message));
  const all = Array.from({ length: MAX_SENDING + 3 }, send);
  await Promise.all(all.slice(MAX_SENDING));
  expect([asked, results.length]).toEqual([MAX_SENDING, 3]);
  expect(results[0]).toBe(`expected at most ${MAX_SENDING} messages under way`);
  clock.advance(2_000);
  await Promise.all(all);
  expect(results.slice(3)).toEqual(Array(MAX_SENDING).fill('no answer within 2000 ms'));
  const again = send();
  expect(asked).toBe(MAX_SENDING + 1);
  clock.advance(2_000);
  await again;
});
