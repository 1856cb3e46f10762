// Earshot-Debug: 1: its content, and that it requires the scope.

import { beforeEach, describe, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import { MESSAGE_VERSION } from '../../../shared/wire/message-version.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';
import { parseCacheStatus } from '../support/structured-fields.ts';

const PATH = '/v1/me/recommendations/home';
const debug = { headers: { 'earshot-debug': '1' }, scope: 'recs:debug recs:preview' };
const inEurope = { ...debug, cf: { latitude: '50.1', longitude: '8.7' } };
let edge: Harness;

const decisionOf = (response: Response): string | null => response.headers.get('earshot-decision');

const buildsOf = (response: Response): string | null => response.headers.get('earshot-builds');

beforeEach(() => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
});

describe('with the scope', () => {
  test('an answer shows the order of the regions and how its list was chosen', async () => {
    const response = await edge.get(PATH, inEurope);
    expect(response.headers.get('earshot-regions')).toBe('europe, us, asia');
    expect(decisionOf(response)).toBe(
      `manifest=1, variant=control;by=weight;experiment=home;salt="home-1", generation=${GENERATION};by=current, source=personal`,
    );
  });

  test('an answer names the builds on its way, once they have answered', async () => {
    expect(buildsOf(await edge.get(PATH, inEurope))).toBe(
      `worker="unnamed";messages=${MESSAGE_VERSION}, origin-europe="unnamed";messages=1`,
    );
    edge.origins.put(keyOf('bob'), makeList('b'));
    edge.origins.nameBuild('0.1.0+"x"', MESSAGE_VERSION + 1);
    const { headers } = await edge.get(PATH, { ...inEurope, sub: 'bob' });
    expect(headers.get('earshot-builds')).toBe(
      `worker="unnamed";messages=${MESSAGE_VERSION}, origin-europe="0.1.0+?x?";messages=${MESSAGE_VERSION + 1}`,
    );
    expect(edge.counters.get('edge_far_messages_total')).toBe(2);
  });

  test('every member of Cache-Status shows its requested key', async () => {
    edge.origins.put(keyOf('~popular', 'popular'), makeList('p'));
    const own = `home/control/${GENERATION}/nobody`;
    const here = `home/control/${GENERATION}/~popular`;
    const anywhere = `popular/chart/${GENERATION}/~popular`;
    const response = await edge.get(PATH, { ...debug, sub: 'nobody' });
    const members = parseCacheStatus(response.headers.get('cache-status') ?? '');
    expect(members.map(({ name, params }) => [name, params.key])).toEqual(
      [own, here, anywhere].flatMap((key) => ['origin-asia', 'colo', 'isolate'].map((name) => [name, key])),
    );
    expect((await edge.get(PATH, debug)).headers.get('cache-status')).toContain(
      `isolate; fwd=miss; stored; key="home/control/${GENERATION}/ann"`,
    );
  });

  test('a preview, a popular list and the reason of the fallback are distinct', async () => {
    edge.origins.put(keyOf('~popular', 'home', 'knn'), makeList('p'));
    edge.origins.put(keyOf('~popular'), makeList('p'));
    const previewed = await edge.get(`${PATH}?variant=knn`, debug);
    expect(decisionOf(previewed)).toContain('variant=knn;by=preview');
    expect(decisionOf(previewed)).toContain('source=popular;by=absent');
    await edge.get(PATH, { sub: 'nobody' });
    edge.origins.behave('refuses', { path: '/internal/v1/lists:read' });
    expect(decisionOf(await edge.get(PATH, { ...debug, sub: 'somebody' }))).toContain('source=popular;by=unreachable');
  });

  test('a listener whom a running flip has not reached is on the generation before', async () => {
    const { home } = makeManifest().surfaces;
    const flip = { startsAtMs: edge.clock.now() + 1_000, durationMs: 1_000 };
    const variants = [
      { name: toName('control'), weight: 1, current: GENERATION + 86_400_000, previous: GENERATION, flip: { ...flip } },
    ];
    edge.origins.publish(
      makeManifest({ version: 7, surfaces: home === undefined ? {} : { home: { ...home, variants } } }),
    );
    expect(decisionOf(await edge.get(PATH, debug))).toBe(
      `manifest=7, variant=control;by=weight;experiment=home;salt="home-1", generation=${GENERATION};by=ramp, source=personal`,
    );
  });

  test('a 304 shows it as well, and the entity tag is the same as without', async () => {
    const etag = (await edge.get(PATH)).headers.get('etag') ?? '';
    const response = await edge.get(PATH, { ...debug, headers: { ...debug.headers, 'if-none-match': etag } });
    expect([response.status, response.headers.get('etag')]).toEqual([304, etag]);
    expect(decisionOf(response)).toContain('manifest=1');
  });
});

describe('without the scope', () => {
  test('the header is forbidden, and no origin hears of the request', async () => {
    const response = await edge.get(PATH, { ...debug, scope: 'recs:read:any recs:preview' });
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toContain('scope="recs:debug"');
    expect(edge.origins.calls).toEqual([]);
  });

  test('an answer shows none of it', async () => {
    await edge.get(PATH, debug);
    for (const scope of ['recs:debug', '']) {
      const { headers } = await edge.get(PATH, { scope });
      expect([headers.get('earshot-regions'), headers.get('earshot-decision')]).toEqual([null, null]);
      expect(headers.get('cache-status')).toBe('isolate; hit; ttl=21600');
    }
  });
});
