// Experiments as flags of OpenFeature: values, reasons, refusals, tags.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { createHarness, type GetOptions, type Harness, ONE_REGION } from '../support/harness.ts';
import { makeManifest } from '../support/lists.ts';

const PATH = '/ofrep/v1/evaluate/flags';
const ALL = [[0, 10_000]] as const;
const experiment = (overrides: object = {}) => ({
  ...{ surface: 'home', layer: 'home', salt: 'x-1', state: 'running', slots: ALL, control: 'control' },
  arms: [
    { variant: 'knn', buckets: ALL },
    { variant: 'control', buckets: [] },
  ],
  ...overrides,
});
let edge: Harness;

beforeEach(() => {
  edge = createHarness({ env: ONE_REGION });
  const experiments = {
    ranking: experiment({ slots: [[0, 10_000]] }),
    nordic: experiment({ state: 'draft', slots: [] }),
    chart: experiment({
      surface: 'popular',
      layer: 'popular',
      slots: [],
      control: 'chart',
      arms: [{ variant: 'chart', buckets: [] }],
    }),
  };
  edge.origins.publish(makeManifest({ version: 2, experiments } as unknown as Partial<Manifest>));
});

async function ask(path: string, body: unknown, options: GetOptions = {}) {
  const response = await edge.get(`${PATH}${path}`, {
    ...{ sub: 'ann', method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) },
    ...options,
    headers: { 'content-type': 'application/json', ...options.headers },
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    body: text === '' ? undefined : JSON.parse(text),
  };
}

const context = (targetingKey: unknown, more: object = {}) => ({ context: { targetingKey, ...more } });

test('a flag has the variant of the user as its value', async () => {
  expect(await ask('/ranking', context('ann'))).toMatchObject({
    status: 200,
    body: {
      ...{ key: 'ranking', value: 'knn', variant: 'knn', reason: 'SPLIT' },
      metadata: { surface: 'home', experiment: 'ranking', by: 'bucket' },
    },
  });
  expect((await ask('/nordic', context('ann'))).body).toMatchObject({ value: 'knn', reason: 'DISABLED' });
  expect((await ask('/chart', context('ann'))).body).toMatchObject({ value: 'chart', reason: 'DEFAULT' });
});

test('all flags at once, in the order of their names, with a tag that confirms them', async () => {
  const { status, etag, body } = await ask('', context('ann'));
  expect([status, body.flags.map(({ key }: { key: string }) => key)]).toEqual([200, ['chart', 'nordic', 'ranking']]);
  expect(await ask('', context('ann'), { headers: { 'if-none-match': etag ?? '' } })).toMatchObject({ status: 304 });
  edge.origins.publish(makeManifest({ version: 3 }));
  edge.clock.advance(10_000);
  await ask('', context('ann'));
  expect(await ask('', context('ann'), { headers: { 'if-none-match': etag ?? '' } })).toMatchObject({
    ...{ status: 200, body: { flags: [] } },
  });
});

describe('who asks', () => {
  test('a listener asks for itself alone, a service for any user and with a country', async () => {
    edge.origins.publish(
      makeManifest({ version: 3, experiments: { ranking: experiment({ targeting: { countries: ['SE'] } }) } } as never),
    );
    expect((await ask('/ranking', context('bob'))).status).toBe(403);
    const service = { sub: 'service', scope: 'recs:read:any' };
    expect((await ask('/ranking', context('bob', { country: 'SE' }), service)).body).toMatchObject({ reason: 'SPLIT' });
    expect((await ask('/ranking', context('bob'), service)).body).toMatchObject({ reason: 'DEFAULT' });
    // A listener's own word does not count.
    expect((await ask('/ranking', context('ann', { country: 'SE' }))).body).toMatchObject({ reason: 'DEFAULT' });
    expect((await ask('/ranking', context('ann'), { cf: { country: 'SE' } })).body).toMatchObject({ reason: 'SPLIT' });
    expect((await ask('/ranking', context('ann'), { authorization: null })).status).toBe(401);
  });
});

test.each([
  ['/none', context('ann'), 404, 'FLAG_NOT_FOUND'],
  ['/toString', context('ann'), 404, 'FLAG_NOT_FOUND'],
  ['/ranking', {}, 400, 'TARGETING_KEY_MISSING'],
  ['/ranking', context(''), 400, 'TARGETING_KEY_MISSING'],
  ['/ranking', context(7), 400, 'INVALID_CONTEXT'],
  ['/ranking', context('a/b'), 400, 'INVALID_CONTEXT'],
  ['/ranking', 'no json', 400, 'PARSE_ERROR'],
  ['', { context: [] }, 400, 'INVALID_CONTEXT'],
])('%s with %j is answered with %d %s', async (path, body, status, errorCode) => {
  expect(await ask(path, body)).toMatchObject({ status, body: { errorCode } });
});

test('members of the context that nothing looks at may have any value', async () => {
  expect((await ask('/ranking', context('ann', { country: null, age: [7] }))).status).toBe(200);
});

test('a large body, another form and another method are refused', async () => {
  expect((await ask('/ranking', context('ann', { x: 'y'.repeat(20_000) }))).status).toBe(413);
  expect((await ask('/ranking', context('ann'), { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  expect((await edge.get(`${PATH}/ranking`, { sub: 'ann' })).status).toBe(405);
});
