// The log of every kind of failure, with a user id and a token in the request: neither is in any line.
import { describe, expect, test, vi } from 'vitest';
import { describeError } from '../../edge/log.ts';
import { MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { batchOptions, POST_PATH, readsOf } from './support/batches.ts';
import { createHarness, type GetOptions, type Harness } from './support/harness.ts';
import { expandedKeyOf, keyOf, makeExpandedList, makeList } from './support/lists.ts';
import type { Behaviour } from './support/scripted-origins.ts';

const USER = 'secret-listener-4711';
const OTHER = 'secret-listener-4712';
const service = { sub: OTHER, scope: 'recs:read:any recs:debug recs:preview' };

const REQUESTS: readonly [string, string, GetOptions][] = [
  ['the own list', '/v1/me/recommendations/home', { sub: USER }],
  ['the own list without a fallback', '/v1/me/recommendations/home?fallback=none', { sub: USER }],
  ['an expanded list', '/v1/me/recommendations/home?expand=items&fallback=none', { sub: USER }],
  ['a list by its user', `/v1/users/${USER}/recommendations/home?fallback=none`, service],
  [
    'a list with debug output',
    `/v1/users/${USER}/recommendations/home`,
    { ...service, headers: { 'earshot-debug': '1' } },
  ],
  ['a list that is forbidden', `/v1/users/${USER}/recommendations/home`, { sub: OTHER }],
  ['a path that does not exist', `/v1/users/${USER}/nothing`, service],
  ['a batch', POST_PATH, batchOptions(JSON.stringify({ reads: readsOf([USER, OTHER]) }), service)],
  [
    'a batch without fallback',
    POST_PATH,
    batchOptions(JSON.stringify({ reads: [{ user: USER, surface: 'home', fallback: 'none' }] }), service),
  ],
  ['a user that is no id', '/v1/me/recommendations/home', { sub: `${USER}/x` }],
];

const FAILURES: readonly Behaviour[] = [
  500,
  503,
  400,
  401,
  'refuses',
  'garbles',
  'cuts',
  'table-down',
  'items-down',
  'fails-listeners',
  'sheds',
];

function expectNoName(edge: Harness): void {
  const text = JSON.stringify(edge.logs);
  // A parser's message quotes the first characters of its input.
  expect(text).not.toContain('secret-lis');
  expect(text).not.toContain('eyJ');
}

describe.each(REQUESTS)('%s', (_what, path, options) => {
  test.each(FAILURES)('while origins fail with %j', async (behaviour) => {
    const edge = createHarness();
    edge.origins.put(keyOf(USER), makeList(USER));
    edge.origins.put(expandedKeyOf(USER), makeExpandedList(USER));
    await edge.get('/v1/me/recommendations/home', { sub: 'warm' });
    edge.origins.behave(behaviour, { path: '/internal/v1/lists:read' });
    await edge.get(path, options);
    edge.clock.advance(60_000);
    edge.origins.behave(behaviour, { path: MANIFEST_PATH });
    await edge.get(path, options);
    expectNoName(edge);
  });

  test('while every manifest fails', async () => {
    const edge = createHarness();
    edge.origins.behave(500);
    await edge.get(path, options);
    expectNoName(edge);
  });
});

test('an origin that answers with the list of a user where a header belongs is not quoted', async () => {
  for (const body of [`{"user":"${USER}"}\n`, `${USER} is no JSON\n`, `{"kind":"list","bytes":"${USER}"}\n`]) {
    const edge: Harness = createHarness({
      fetch: async (url, init) => (url.endsWith('lists:read') ? new Response(body) : edge.origins.fetch(url, init)),
    });
    await edge.get('/v1/me/recommendations/home', { sub: USER });
    expect(edge.logs.map(({ event }) => event)).toContain('region_failed');
    expectNoName(edge);
  }
});

test('the route stands in the log where a path would name the user', async () => {
  const edge = createHarness();
  edge.origins.behave(500);
  await edge.get(`/v1/users/${USER}/recommendations/home`, { ...service, headers: { 'x-request-id': 'req-7' } });
  const line = edge.logs.find(({ event }) => event === 'request_failed');
  expect(line?.fields).toMatchObject({
    route: '/v1/users/:user/recommendations/:surface',
    requestId: 'req-7',
  });
});

test('the input of a JSON parser is not in a message, a cause or a stack', async () => {
  const { stackOf } = await vi.importActual<typeof import('../../edge/log.ts')>('../../edge/log.ts');
  let thrown: unknown;
  try {
    JSON.parse(`${USER} is no JSON`);
  } catch (error) {
    thrown = error;
  }
  const outer = new Error('the body is not JSON', { cause: thrown });
  expect(String(thrown)).toContain('secret-lis');
  for (const text of [describeError(thrown), describeError(outer), stackOf(outer)].map((each) => JSON.stringify(each)))
    expect(text).not.toContain('secret');
});
