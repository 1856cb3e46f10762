// Lists that are kept ready as fallbacks: the previous generation's list while it is cached, and the popular lists.

import { beforeEach, describe, expect, test } from 'vitest';
import { toName } from '../../../shared/domain/ids.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { GENERATION, keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const popularHere = makeList('here', 60, 1_795_230_000_000);
const popularAnywhere = makeList('anywhere', 60);
let edge: Harness;

beforeEach(() => {
  edge = createHarness();
});

describe('the generation before', () => {
  const BEFORE = GENERATION - 86_400_000;
  const publishNext = (isWithPrevious: boolean): void => {
    const next = {
      name: toName('control'),
      weight: 10_000,
      current: GENERATION,
      ...(isWithPrevious ? { previous: BEFORE } : {}),
    };
    const home = { salt: 'home-1', listTtlSeconds: 21_600, variants: [next] };
    edge.origins.publish(makeManifest({ version: 2, surfaces: { ...makeManifest().surfaces, home } }));
    edge.clock.advance(11_000);
  };

  beforeEach(async () => {
    const variants = [{ name: toName('control'), weight: 10_000, current: BEFORE }];
    const home = { salt: 'home-1', listTtlSeconds: 21_600, variants };
    edge.origins.publish(makeManifest({ surfaces: { ...makeManifest().surfaces, home } }));
    edge.origins.put({ ...keyOf('ann'), generation: BEFORE }, makeList('before', 100, BEFORE));
    edge.origins.put({ ...keyOf('~popular'), generation: GENERATION }, popularHere);
    await edge.get(PATH, { expiresInSeconds: 86_400 });
  });

  test('stands in with what a cache holds of it, when the list of now cannot be reached, and says so', async () => {
    publishNext(true);
    edge.origins.behave('refuses', { path: '/internal/v1/lists:read' });
    const asked = edge.origins.listReads().length;
    const response = await edge.get(`${PATH}?limit=1`, { expiresInSeconds: 86_400 });
    expect(await response.json()).toMatchObject({
      source: 'personal',
      generation: new Date(BEFORE).toISOString(),
      items: [{ id: 'before:1' }],
    });
    expect(response.headers.get('cache-status')).toMatch(/isolate; hit; ttl=\d+; detail=previous$/);
    expect(response.headers.get('cache-control')).toBe('private, max-age=5');
    expect(edge.counters.get('edge_previous_total')).toBe(1);
    expect(edge.origins.listReads().length - asked).toBe(3);
  });

  test('does not replace an absent list', async () => {
    publishNext(true);
    expect(await (await edge.get(PATH, { expiresInSeconds: 86_400 })).json()).toMatchObject({ source: 'popular' });
    expect(edge.counters.get('edge_previous_total')).toBe(0);
  });

  test('is not used if the manifest does not name it', async () => {
    publishNext(false);
    edge.origins.behave('fails-listeners', { path: '/internal/v1/lists:read' });
    expect(await (await edge.get(PATH, { expiresInSeconds: 86_400 })).json()).toMatchObject({ source: 'popular' });
  });

  test('is not requested from the regions: without a cached one the popular list remains', async () => {
    publishNext(true);
    edge.origins.behave('fails-listeners', { path: '/internal/v1/lists:read' });
    const isOfBefore = ({ generation }: { generation: number }): boolean => generation === BEFORE;
    const before = edge.origins.calls.flatMap(({ keys }) => keys).filter(isOfBefore).length;
    const answer = await edge.get(PATH, { sub: 'bob', expiresInSeconds: 86_400 });
    expect(await answer.json()).toMatchObject({ source: 'popular' });
    expect(edge.origins.calls.flatMap(({ keys }) => keys).filter(isOfBefore)).toHaveLength(before);
  });
});

describe('the popular lists', () => {
  const listsAsked = (): string[] =>
    edge.origins.calls
      .flatMap(({ keys }) => keys)
      .map(({ user, surface, isBackground }) => `${surface}/${user}/${isBackground}`);

  beforeEach(() => {
    edge = createHarness({ env: { POPULAR_WARM_SECONDS: '60' } });
    edge.origins.put(keyOf('ann'), makeList('a'));
    edge.origins.put(keyOf('~popular'), popularHere);
    edge.origins.put(keyOf('~popular', 'popular'), popularAnywhere);
  });

  test('are cached before they are needed: loaded once, after an answer, as a background read', async () => {
    await edge.get(PATH);
    expect(listsAsked()).toEqual(['home/ann/undefined', 'home/~popular/true', 'popular/~popular/true']);
    await edge.get(PATH, { sub: 'nobody' });
    expect(listsAsked()).toHaveLength(4);
    edge.origins.behave('refuses');
    const response = await edge.get(PATH, { sub: 'stranger' });
    expect(await response.json()).toMatchObject({ source: 'popular' });
    expect(response.headers.get('cache-status')).toMatch(/isolate; hit; ttl=\d+; detail=popular$/);
  });

  test('are looked after again after a minute, which is a call only when they have become stale', async () => {
    await edge.get(PATH);
    edge.clock.advance(61_000);
    await edge.get(PATH, { sub: 'bob', expiresInSeconds: 86_400 });
    expect(listsAsked()).toHaveLength(4);
    edge.clock.advance(3_600_000);
    await edge.get(PATH, { sub: 'carl', expiresInSeconds: 86_400 });
    expect(listsAsked().slice(4)).toEqual(['home/carl/undefined', 'popular/~popular/true']);
  });
});
