// A header or a parameter has one rule: a single read, a read by user, a batch, a QUERY and the status refuse the same
// values with the same code and text.
import { expect, test } from 'vitest';
import { STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { batchOptions, POST_PATH, QUERY_PATH, type Result, readsOf, resultsOf } from '../support/batches.ts';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const all = { sub: 'ann', scope: 'recs:read:any recs:debug recs:preview recs:status' };
const body = JSON.stringify({ reads: readsOf(['ann']) });

const ROUTES: readonly [string, GetOptions][] = [
  [PATH, all],
  ['/v1/users/ann/recommendations/home', all],
  [POST_PATH, batchOptions(body, all)],
  [QUERY_PATH, batchOptions(body, { ...all, method: 'QUERY' })],
  [STATUS_PATH, all],
];

async function askAll(headers: Record<string, string>, edge: Harness = createHarness(), suffix = '') {
  edge.origins.put(keyOf('ann'), makeList('a'));
  // The list is in the isolate, so that the shortest path is asked, too.
  await edge.get(PATH, { sub: 'ann' });
  const answers: unknown[] = [];
  for (const [path, options] of ROUTES) {
    const own = { ...options.headers, ...headers };
    const response = await edge.get(path + suffix, { ...options, headers: own });
    const problem = response.status < 400 ? {} : ((await response.json()) as Record<string, unknown>);
    answers.push([response.status, problem.code, problem.detail]);
  }
  return answers;
}

const DEADLINE = 'to be a whole number of milliseconds, of up to 6 digits, got';
const INVALID: readonly [string, string, string][] = [
  ...['', '-1', '1.5', '1e3', '0x10', '+5', ' ', '1000000', '5, 6', 'soon', '٣'].map(
    (value): [string, string, string] => ['earshot-deadline-ms', value, DEADLINE],
  ),
  ...['', '0', 'true', '1, 1', 'on', '01'].map((value): [string, string, string] => [
    'earshot-debug',
    value,
    'expected Earshot-Debug to be "1", got',
  ]),
];

test.each(INVALID.filter(([, value]) => /^[\x21-\x7e][\x20-\x7e]*$|^$/.test(value)))(
  '%s: %j is refused alike everywhere',
  async (name, value, text) => {
    const answers = await askAll({ [name]: value });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toEqual([400, 'invalid_request', expect.stringContaining(text)]);
  },
);

test('a deadline of 0 has passed on arrival, also if the list is at hand', async () => {
  for (const answer of await askAll({ 'earshot-deadline-ms': '0' }))
    expect(answer).toEqual([504, 'deadline_exceeded', undefined]);
});

test.each(['NRT', 'nowhere', '', 'a, b'])(
  'Earshot-Dev-Location %j is refused alike outside the local cloud',
  async (place) => {
    for (const answer of await askAll({ 'earshot-dev-location': place }))
      expect(answer).toEqual([400, 'invalid_request', 'Earshot-Dev-Location is refused outside the local cloud']);
  },
);

test.each(['nowhere', '', 'nrt', 'toString', 'NRT, LHR'])(
  'an unknown Earshot-Dev-Location %j is refused alike',
  async (place) => {
    const env = { DEV_LOCATIONS: '{"NRT":{"latitude":35.76,"longitude":140.39}}' };
    for (const answer of await askAll({ 'earshot-dev-location': place }, createHarness({ env })))
      expect(answer).toEqual([
        400,
        'invalid_request',
        `expected Earshot-Dev-Location to be one of NRT, got ${JSON.stringify(place)}`,
      ]);
  },
);

test('an unknown parameter of the query is refused alike', async () => {
  for (const answer of await askAll({}, createHarness(), '?colour=red'))
    expect(answer).toEqual([400, 'invalid_request', 'unknown parameter "colour"']);
});

test.each([
  ['accept', 'text/html'],
  ['accept', '*/*;q=0'],
  ['accept', 'nonsense'],
  ['if-none-match', 'no tag'],
  ['if-match', '"x"'],
  ['range', 'bytes=0-1'],
  ['expect', '100-continue'],
  ['x-request-id', 'a b'],
  ['traceparent', '00-0-0-0'],
  ['earshot-deadline-ms', '999999'],
  ['earshot-debug', '1'],
])('%s: %s changes the status of no answer', async (name, value) => {
  for (const [status] of (await askAll({ [name]: value })) as [number][]) expect(status).toBe(200);
});

test.each([
  'limit=0',
  'limit=101',
  'limit=1.5',
  'limit=-1',
  'fallback=all',
  'variant=KNN',
  'variant=',
  'expand=all',
  'expand=',
])('%s is refused in a query as it is in a read of a batch', async (parameter) => {
  const [name = '', text = ''] = parameter.split('=');
  const edge = createHarness();
  const single = (await (await edge.get(`${PATH}?${parameter}`, all)).json()) as { code: string; detail: string };
  const value = name === 'limit' ? Number(text) : text;
  const reads = JSON.stringify({ reads: [{ user: 'ann', surface: 'home', [name]: value }] });
  const [inBatch] = await resultsOf(await edge.get(POST_PATH, batchOptions(reads, all)));
  expect(inBatch?.problem).toMatchObject({ status: 400, code: single.code });
  const withoutValue = (detail = ''): string => detail.slice(0, detail.indexOf(', got'));
  expect(withoutValue(inBatch?.problem?.detail)).toBe(withoutValue(single.detail));
  expect((single as unknown as Result).status).toBe(400);
});

test('a body of a GET is ignored', async () => {
  const edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  // Request refuses a body of a GET, so the media type alone stands for one here; the contract test sends a real one.
  const response = await edge.get(PATH, {
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  });
  expect(response.status).toBe(200);
});
