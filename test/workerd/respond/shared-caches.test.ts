// No answer that depends on the token may be stored by a shared cache (RFC 9111), not even by one that ignores the rule
// for requests with Authorization: every route, with every status that it has.
import { expect, test } from 'vitest';
import { createHarness, type GetOptions, type Harness, ONE_REGION } from '../support/harness.ts';
import { keyOf, makeList, makeManifest } from '../support/lists.ts';

const OWN = '/v1/me/recommendations/home';
const USER = '/v1/users/ann/recommendations/home';
const QUERY = '/v1/recommendations';
const BATCH = '/v1/recommendations:batch';
const STATUS = '/internal/v1/status';
const DOCUMENT = '/openapi.json';
const HEALTH = '/healthz';
const EXPOSURES = '/v1/exposures';
const FLAGS = '/ofrep/v1/evaluate/flags';

const ANY = { scope: 'recs:read:any' };
const DEBUG = { scope: 'recs:read:any recs:debug', headers: { 'earshot-debug': '1' } };
const NO_TIME = { headers: { 'earshot-deadline-ms': '0' } };
const JSON_TYPE = { 'content-type': 'application/json' };
const read = (user: string) => JSON.stringify({ reads: [{ user, surface: 'home', fallback: 'none' }] });

type Case = readonly [
  status: number,
  path: string,
  options: GetOptions,
  arrange?: (edge: Harness) => void,
  setting?: NonNullable<Parameters<typeof createHarness>[0]>,
];

const OTHER_HOST = { env: { ...ONE_REGION, PUBLIC_HOSTS: 'recs.example.com' } };
const LIMITED = { env: { ...ONE_REGION, RATE_LIMITS: 'on' }, limiter: { limit: async () => ({ success: false }) } };
const SMALL_ANSWERS = { env: { ...ONE_REGION, MAX_ANSWER_BYTES: '65536' } };
const nothing = (): void => {};
const putLarge = ({ origins }: Harness): void =>
  origins.put(keyOf('ann'), { ...makeList('ann'), bytes: new Uint8Array(300_000).fill(120) });

const allRegionsRefuse = (edge: Harness): void => edge.origins.behave('refuses');

const lists = (path: string): Case[] => [
  [200, path, ANY],
  [200, path, { ...ANY, method: 'HEAD' }],
  [200, path, DEBUG],
  [304, path, { ...ANY, headers: { 'if-none-match': '*' } }],
  [400, `${path}?limit=0`, ANY],
  [401, path, { authorization: null }],
  [401, path, { secret: 'another-secret-for-tests-only-0123456789' }],
  [403, path, { sub: 'bob', headers: { 'earshot-debug': '1' } }],
  [404, path.replace('home', 'nowhere'), ANY],
  [404, `${path}?fallback=none`, { ...ANY, sub: 'ann' }, (edge) => edge.origins.put(keyOf('ann'), { kind: 'absent' })],
  [405, path, { ...ANY, method: 'POST' }],
  [413, path, { ...ANY, sub: 'ann' }, putLarge, SMALL_ANSWERS],
  [421, path, ANY, nothing, OTHER_HOST],
  [429, path, ANY, nothing, LIMITED],
  [503, `${path}?fallback=none`, ANY, allRegionsRefuse],
  [504, path, { ...ANY, ...NO_TIME }],
];

const batches = (method: 'POST' | 'QUERY', path: string): Case[] => {
  const send = (body: string, options: GetOptions = ANY): GetOptions => {
    return { ...options, method, body, headers: { ...JSON_TYPE, ...options.headers } };
  };
  return [
    [200, path, send(read('ann'))],
    [200, path, send(read('bob'))],
    [200, path, send(read('ann'), DEBUG)],
    [400, path, send('{}')],
    [401, path, send(read('ann'), { authorization: null })],
    [403, path, send(read('ann'), { sub: 'bob' })],
    [405, path, { ...ANY, method: 'PUT' }],
    [413, path, send(' '.repeat(65_537))],
    [415, path, { ...send(read('ann')), headers: { 'content-type': 'text/plain' } }],
    [421, path, send(read('ann')), nothing, OTHER_HOST],
    [429, path, send(read('ann')), nothing, LIMITED],
    [503, path, send(read('ann')), allRegionsRefuse],
    [504, path, send(read('ann'), { ...ANY, ...NO_TIME })],
  ];
};

const WITH_SINK = {
  env: { ...ONE_REGION, HASH_KEY: 'a-hash-key-for-tests-only-0123456789' },
  exposureSink: { send: async () => {} },
};
const FAILING_SINK = { ...WITH_SINK, exposureSink: { send: () => Promise.reject(new Error('full')) } };
const report = (token: string, options: GetOptions = {}): GetOptions => ({
  ...{ method: 'POST', body: JSON.stringify({ exposures: [token] }), ...options },
  headers: { ...JSON_TYPE, ...options.headers },
});

/** A token of the user ann, as another harness with the same key makes it. */
async function makeToken(): Promise<string> {
  const edge = createHarness(WITH_SINK);
  edge.origins.put(keyOf('ann'), makeList('ann'));
  const holdouts = { global: { salt: 'h', share: 10_000 } };
  edge.origins.publish(makeManifest({ version: 2, holdouts }));
  return (await edge.get(OWN, { sub: 'ann' })).headers.get('earshot-exposure') ?? '';
}
const token = await makeToken();

const exposures: Case[] = [
  [202, EXPOSURES, report(token, { sub: 'ann' }), nothing, WITH_SINK],
  [503, EXPOSURES, report(token, { sub: 'ann' }), nothing, FAILING_SINK],
  [202, EXPOSURES, report('x'), nothing, WITH_SINK],
  [400, EXPOSURES, report('x'.repeat(800)), nothing, WITH_SINK],
  [401, EXPOSURES, report('x', { authorization: null }), nothing, WITH_SINK],
  [
    403,
    EXPOSURES,
    report('x'),
    nothing,
    { ...WITH_SINK, env: { ...WITH_SINK.env, TOKEN_REQUIRED_SCOPES: 'recs:read' } },
  ],
  [404, EXPOSURES, report('x')],
  [405, EXPOSURES, {}],
  [413, EXPOSURES, report('x'.repeat(100_000)), nothing, WITH_SINK],
  [415, EXPOSURES, report('x', { headers: { 'content-type': 'text/plain' } }), nothing, WITH_SINK],
  [421, EXPOSURES, report('x'), nothing, OTHER_HOST],
  [
    429,
    EXPOSURES,
    report('x'),
    nothing,
    { ...WITH_SINK, ...LIMITED, env: { ...LIMITED.env, ...WITH_SINK.env, RATE_LIMITS: 'on' } },
  ],
  [504, EXPOSURES, report('x', NO_TIME), nothing, WITH_SINK],
];

const flags: Case[] = [
  [200, FLAGS, { method: 'POST', body: '{"context":{"targetingKey":"ann"}}', headers: JSON_TYPE }],
  [400, FLAGS, { method: 'POST', body: '{}', headers: JSON_TYPE }],
  [404, `${FLAGS}/none`, { method: 'POST', body: '{"context":{"targetingKey":"ann"}}', headers: JSON_TYPE }],
];

const CASES: readonly Case[] = [
  ...exposures,
  ...flags,
  ...lists(OWN),
  ...lists(USER),
  ...batches('POST', BATCH),
  ...batches('QUERY', QUERY),
  [200, STATUS, { scope: 'recs:status' }],
  [421, STATUS, {}, nothing, OTHER_HOST],
  [401, STATUS, { authorization: null }],
  [403, STATUS, {}],
  [405, STATUS, { ...ANY, method: 'DELETE' }],
  [200, HEALTH, {}],
  [405, HEALTH, { method: 'POST' }],
  [421, HEALTH, {}, nothing, OTHER_HOST],
  [404, '/nowhere', ANY],
];

/** Whether a shared cache that ignores Authorization may store the answer (RFC 9111, section 3). */
function mayStore(method: string, { status, headers }: Response): boolean {
  const directives = new Map(
    (headers.get('cache-control') ?? '').split(',').map((each) => {
      const [name = '', value] = each.trim().toLowerCase().split('=');
      return [name, value];
    }),
  );
  if (directives.has('no-store') || directives.has('private')) return false;
  const isExplicit = ['public', 'max-age', 's-maxage'].some((name) => directives.has(name)) || headers.has('expires');
  // Section 4.2.2: the statuses of RFC 9110, section 15.1.
  const isHeuristic = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501].includes(status);
  return isExplicit || (isHeuristic && ['GET', 'HEAD'].includes(method));
}

const named = CASES.map(([status, path, options, arrange, setting]) => ({ status, path, options, arrange, setting }));

test.each(named)(
  '$status of $path with $options is for its caller alone',
  async ({ status, path, options, arrange, setting = { env: ONE_REGION } }) => {
    const edge = createHarness(setting);
    edge.origins.put(keyOf('ann'), makeList('ann'));
    arrange?.(edge);
    const response = await edge.get(path, options);
    expect(response.status).toBe(status);
    expect(mayStore(options.method ?? 'GET', response)).toBe(false);
    // Said, and not only true of the method or the status.
    const isList = response.headers.has('etag');
    expect(response.headers.get('cache-control')).toMatch(isList ? /^private, max-age=\d+$/ : /^no-store$/);
    if (isList) expect(response.headers.get('vary')).toBe('Authorization');
  },
);

test('the document may be stored, because it is the same for every caller', async () => {
  const edge = createHarness();
  const answers = await Promise.all([{ authorization: null }, {}, DEBUG].map((each) => edge.get(DOCUMENT, each)));
  expect(answers.map((each) => mayStore('GET', each))).toEqual([true, true, true]);
  expect(new Set(await Promise.all(answers.map((each) => each.text()))).size).toBe(1);
});

test('the cases have every documented operation with every documented status', async () => {
  const { paths } = (await (await createHarness().get(DOCUMENT)).json()) as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const seen = new Set(CASES.map(([status, path]) => `${routeOf(path)} ${status}`));
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.values(operations).flatMap(({ responses }) => Object.keys(responses).map((status) => `${path} ${status}`)),
  );
  // No request reaches a 500. It is a problem like the others.
  const missing = documented.filter((each) => !seen.has(each) && !each.endsWith(' 500') && !each.startsWith(DOCUMENT));
  expect([...new Set(missing)]).toEqual([]);
});

const routeOf = (path: string): string =>
  (path.split('?')[0] ?? '')
    .replace('/users/ann/', '/users/{user}/')
    .replace(/recommendations\/\w+$/, 'recommendations/{surface}');
