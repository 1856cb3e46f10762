// The variant of an answer by experiments: on a cold read, on a hit, in a batch, by country and by claims.
import { beforeEach, describe, expect, test } from 'vitest';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { createHarness, type GetOptions, type Harness, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const ALL = [[0, 10_000]] as const;
let edge: Harness;

const ranking = (overrides: object = {}) => ({
  surface: 'home',
  layer: 'home-ui',
  salt: 'ranking-1',
  state: 'running',
  slots: ALL,
  control: 'control',
  arms: [
    { variant: 'knn', buckets: ALL },
    { variant: 'control', buckets: [] },
  ],
  ...overrides,
});

const publish = (ranked: object, more: object = {}) =>
  edge.origins.publish(makeManifest({ version: 2, experiments: { ranking: ranked }, ...more } as Partial<Manifest>));

beforeEach(() => {
  edge = createHarness({ env: { ...ONE_REGION, TARGETING_CLAIMS: 'plan https://example.com/tier' } });
  for (const variant of ['control', 'knn'])
    for (const user of ['ann', 'bob', '~popular']) edge.origins.put(keyOf(user, 'home', variant), makeList(variant));
});

async function read(options: GetOptions = {}, path = PATH): Promise<[variant: string | null, body: string]> {
  const response = await edge.get(path, { sub: 'ann', ...options });
  const text = await response.text();
  return [
    response.headers.get('earshot-variant'),
    text === '' ? '' : (JSON.parse(text) as { variant: string }).variant,
  ];
}

test('without an experiment the weights decide, on a cold read and on a hit', async () => {
  const expected = ['control;experiment=home;by=weight', 'control'];
  expect([await read(), await read()]).toEqual([expected, expected]);
});

test('an arm that owns the bucket decides, on a cold read and on a hit', async () => {
  publish(ranking());
  const expected = ['knn;experiment=ranking;by=bucket', 'knn'];
  expect([await read(), await read()]).toEqual([expected, expected]);
});

test('a 304 names the variant and the experiment', async () => {
  publish(ranking());
  const etag = (await edge.get(PATH, { sub: 'ann' })).headers.get('etag') ?? '';
  const confirmed = await edge.get(PATH, { sub: 'ann', headers: { 'if-none-match': etag } });
  expect([confirmed.status, confirmed.headers.get('earshot-variant')]).toEqual([
    304,
    'knn;experiment=ranking;by=bucket',
  ]);
});

test('a user without a list gets the popular list of the arm', async () => {
  publish(ranking());
  expect(await read({ sub: 'carl' })).toEqual(['knn;experiment=ranking;by=bucket', 'knn']);
});

test.each(['draft', 'stopped', 'a-later-state'])('an experiment that is %s has no users', async (state) => {
  publish(ranking({ state }));
  expect(await read()).toEqual(['control;experiment=home;by=weight', 'control']);
});

test('a holdout comes before the allow list, and the allow list before the bucket', async () => {
  const allow = { control: [makeUserHash('ann')] };
  publish(ranking({ allow }));
  expect(await read()).toEqual(['control;experiment=ranking;by=allowed', 'control']);
  expect(await read({ sub: 'bob' })).toEqual(['knn;experiment=ranking;by=bucket', 'knn']);
});

test('a user of a holdout gets control', async () => {
  publish(ranking(), { holdouts: { global: { salt: 'h-1', share: 10_000 } } });
  expect(await read()).toEqual(['control;experiment=holdout;by=holdout', 'control']);
});

test('a preview is flagged as such', async () => {
  publish(ranking());
  const preview = { scope: 'recs:preview' };
  expect(await read(preview, `${PATH}?variant=control`)).toEqual(['control;experiment=home;by=preview', 'control']);
});

describe('targeting', () => {
  const IN = ['knn;experiment=ranking;by=bucket', 'knn'];
  const OUT = ['control;experiment=home;by=weight', 'control'];
  const NAMED = '/v1/users/ann/recommendations/home';
  const service = { sub: 'service', scope: 'recs:read:any' };

  test("the caller's own country counts, by Cloudflare's word", async () => {
    publish(ranking({ targeting: { countries: ['SE', 'NO'] } }));
    for (const country of ['SE', 'NO']) expect(await read({ cf: { country } }), country).toEqual(IN);
    for (const country of ['DE', 'T1', 'XX', 'se', '']) expect(await read({ cf: { country } }), country).toEqual(OUT);
    expect(await read()).toEqual(OUT);
  });

  test("a service names the user's country; its own does not count", async () => {
    publish(ranking({ targeting: { countries: ['SE'] } }));
    expect(await read(service, `${NAMED}?country=SE`)).toEqual(IN);
    expect(await read({ ...service, cf: { country: 'SE' } }, NAMED)).toEqual(OUT);
  });

  test.each(['se', 'SWE', 'S', '', 'SE&country=NO'])('country=%s is refused', async (country) => {
    const response = await edge.get(`${NAMED}?country=${country}`, service);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('expected country')]);
  });

  test('the own route takes no country: a listener would choose it', async () => {
    expect((await edge.get(`${PATH}?country=SE`, { sub: 'ann' })).status).toBe(400);
  });

  test("a listener's country is the same on each route, whatever the read says", async () => {
    publish(ranking({ targeting: { countries: ['SE'] } }));
    for (const [country, expected] of [
      ['SE', IN],
      ['DE', OUT],
    ] as const) {
      const own = { sub: 'ann', cf: { country } };
      const other = country === 'SE' ? 'DE' : 'SE';
      expect(await read(own)).toEqual(expected);
      expect(await read(own, `${NAMED}?country=${other}`)).toEqual(expected);
      const body = JSON.stringify({ reads: [{ user: 'ann', surface: 'home', country: other }] });
      const headers = { 'content-type': 'application/json' };
      const answer = await edge.get('/v1/recommendations:batch', { ...own, method: 'POST', headers, body });
      expect(await answer.text()).toContain(`"experiment":"${expected === IN ? 'ranking' : 'home'}"`);
    }
  });

  test('each read of a batch has its own country', async () => {
    publish(ranking({ targeting: { countries: ['SE'] } }));
    const reads = ['SE', 'DE', undefined].map((country) => ({ user: 'ann', surface: 'home', country }));
    const response = await edge.get('/v1/recommendations:batch', {
      ...{ ...service, method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ reads }),
    });
    const { results } = (await response.json()) as { results: { variant: string; experiment: string }[] };
    expect(results.map(({ variant, experiment }) => [variant, experiment])).toEqual([
      ['knn', 'ranking'],
      ['control', 'home'],
      ['control', 'home'],
    ]);
  });

  test.each<[string, object, boolean]>([
    ['the claim with a value', { plan: 'premium' }, true],
    ['a namespaced claim', { plan: 'family', 'https://example.com/tier': 'gold' }, true],
    ['another value', { plan: 'free' }, false],
    ['no claim', {}, false],
    ['a claim of another type', { plan: ['premium'] }, false],
    ['a claim that is not configured', { plan: 'premium', other: 'x' }, true],
  ])('%s', async (_case, claims, isIn) => {
    publish(ranking({ targeting: { claims: { plan: ['premium', 'family'] } } }));
    expect(await read({ claims } as GetOptions)).toEqual(isIn ? IN : OUT);
  });

  test("a service's claims say nothing of the user", async () => {
    publish(ranking({ targeting: { claims: { plan: ['premium'] } } }));
    expect(await read({ ...service, claims: { plan: 'premium' } } as GetOptions, NAMED)).toEqual(OUT);
  });

  test('a claim that is not configured is not targeted', async () => {
    publish(ranking({ targeting: { claims: { group: ['a'] } } }));
    expect(await read({ claims: { group: 'a' } } as GetOptions)).toEqual(OUT);
  });
});

describe('an arm that another system has assigned', () => {
  const publishOutside = (outsideArms: boolean) => {
    const { surfaces } = makeManifest();
    const home = { ...surfaces.home, outsideArms };
    const arms = [{ variant: 'control', buckets: ALL }];
    edge.origins.publish(
      makeManifest({
        version: 2,
        surfaces: { ...surfaces, home },
        experiments: { ranking: ranking({ arms }) },
      } as never),
    );
  };
  const readWith = (earshot_arms: unknown) => read({ claims: { earshot_arms } } as GetOptions);
  const OUTSIDE = ['knn;experiment=outside;by=outside', 'knn'];
  const OURS = ['control;experiment=ranking;by=bucket', 'control'];

  test('wins where the surface allows it', async () => {
    publishOutside(true);
    expect(await readWith({ home: 'knn' })).toEqual(OUTSIDE);
  });

  test('is ignored where the surface does not', async () => {
    publishOutside(false);
    expect(await readWith({ home: 'knn' })).toEqual(OURS);
  });

  test.each([[{ home: 'none' }], [{ home: 7 }], [{ radio: 'knn' }], ['knn'], [['knn']], [{}], [null]])(
    'is none if the claim is %j',
    async (claim) => {
      publishOutside(true);
      expect(await readWith(claim)).toEqual(OURS);
    },
  );

  test("of a service's token is not the user's", async () => {
    publishOutside(true);
    const service = { sub: 'service', scope: 'recs:read:any', claims: { earshot_arms: { home: 'knn' } } };
    expect(await read(service as GetOptions, '/v1/users/ann/recommendations/home')).toEqual(OURS);
  });
});
