// The documents of the manifest at the edge: taken up with it, or not at all; hidden and erased users.
import { beforeEach, describe, expect, test } from 'vitest';
import { POPULAR_USER } from '../../../shared/domain/ids.ts';
import { userHashOf } from '../../../shared/domain/keys.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: ONE_REGION });
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(keyOf(POPULAR_USER), makeList('popular'));
});

async function read(sub = 'ann', path = PATH) {
  const response = await edge.get(path, { sub });
  const body = (await response.json()) as { source?: string; items?: { id: string }[] };
  return { status: response.status, source: body.source, first: body.items?.[0]?.id };
}

let versions = 1;

/** A manifest with this document of erasures, as every origin has it. */
function publish(erasures: readonly (readonly [string, number | null])[], version = `v${versions++}`): void {
  const entries = erasures
    .map(([user, atMs]) => [userHashOf(user), atMs])
    .sort(([a = 0], [b = 0]) => Number(a) - Number(b));
  edge.origins.putDocument({ kind: 'erasures', version }, JSON.stringify({ format: 1, erasures: entries }));
  edge.origins.publish(makeManifest({ version: ++versions, documents: { erasures: [version] } }));
}

/** As the manifest ages, the next read takes up a later one. */
async function takeUp(): Promise<void> {
  edge.clock.advance(10_000);
  await edge.get(PATH, { sub: 'takes-it-up' });
}

describe('a hidden user', () => {
  test('is asked for nowhere, and gets the popular list', async () => {
    expect(await read()).toMatchObject({ source: 'personal', first: 'a:1' });
    publish([['ann', null]]);
    await takeUp();
    const asked = edge.origins.calls.length;
    expect(await read()).toMatchObject({ source: 'popular', first: 'popular:1' });
    const keys = edge.origins.calls.slice(asked).flatMap((call) => call.keys.map(({ user }) => user));
    expect(keys).not.toContain('ann');
    expect(await read('ann', `${PATH}?fallback=none`)).toMatchObject({ status: 404 });
    expect(await read('bob')).toMatchObject({ source: 'popular' });
  });

  test('gets later lists after the final moment, and none from before', async () => {
    await read();
    publish([['ann', null]]);
    await takeUp();
    await read();
    publish([['ann', edge.clock.now()]]);
    edge.origins.put(keyOf('ann'), makeList('new'));
    await takeUp();
    expect(await read()).toMatchObject({ source: 'personal', first: 'new:1' });
  });

  test('does not get the list of a load that began before', async () => {
    await edge.get(PATH, { sub: 'warms-the-manifest' });
    edge.clock.advance(4_500);
    edge.origins.behave('slow', { path: '/internal/v1/lists:read' });
    const arrived = edge.origins.arrival('asia');
    const before = edge.send(PATH, { sub: 'ann' });
    await arrived;
    edge.clock.advance(1_000);
    publish([['ann', null]]);
    edge.origins.behave('up');
    await edge.get(PATH, { sub: 'learns-of-it' });
    edge.origins.release();
    await (await before).text();
    expect(edge.counters.get('edge_fenced_total')).toBeGreaterThan(0);
    expect(await read()).toMatchObject({ source: 'popular' });
  });
});

describe('the last good pair of manifest and documents stays', () => {
  test.each([
    ['is missing', undefined],
    ['is no JSON', '{"format":1,'],
    ['is of a later format', '{"format":2,"erasures":[]}'],
    ['is not in order', '{"format":1,"erasures":[[2,1],[1,1]]}'],
    ['has 10 MB', `{"format":1,"erasures":[],"more":"${'x'.repeat(10_000_000)}"}`],
  ])('if a document %s', async (_, json) => {
    publish([['ann', null]]);
    await takeUp();
    expect(await read()).toMatchObject({ source: 'popular' });
    edge.origins.putDocument({ kind: 'erasures', version: 'broken' }, json);
    edge.origins.publish(makeManifest({ version: ++versions, documents: { erasures: ['broken'] } }));
    await takeUp();
    expect(await read()).toMatchObject({ source: 'popular' });
    expect(edge.counters.get('edge_documents_refused_total')).toBeGreaterThan(0);
    expect(edge.logs.map(({ event }) => event)).toContain('documents_refused');
  });
});

test('a document is fetched once for each version, and by a new isolate from its data centre', async () => {
  publish([['ann', null]], 'once');
  await takeUp();
  await takeUp();
  edge.loseIsolate();
  await takeUp();
  expect(await read()).toMatchObject({ source: 'popular' });
  expect(edge.counters.get('edge_document_fetches_total')).toBe(1);
});
