// Players in a browser: the access of a configured web origin, and none without configuration.
import { describe, expect, test } from 'vitest';
import { EXPOSED_HEADERS } from '../../../edge/routes/cors.ts';
import { createHarness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const PLAYER = 'https://player.example.com';
const CORS_ORIGINS = `${PLAYER}, http://localhost:3000`;
const preflight = (origin: string) => ({
  authorization: null,
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization,if-none-match',
  },
});
const corsHeaders = ({ headers }: Response): [string, string][] =>
  [...headers].filter(([name]) => name.startsWith('access-control-'));

function createPlayerHarness(env: object = { CORS_ORIGINS }) {
  const edge = createHarness({ env });
  edge.origins.put(keyOf('ann'), makeList('a'));
  return edge;
}

describe('with origins configured', () => {
  test.each([PLAYER, 'http://localhost:3000'])('a preflight from %s is allowed, without a token', async (origin) => {
    const response = await createPlayerHarness().get(PATH, preflight(origin));
    expect(response.status).toBe(204);
    expect(Object.fromEntries(corsHeaders(response))).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET,HEAD,POST,QUERY',
      'access-control-allow-headers': 'authorization,if-none-match',
      'access-control-max-age': '7200',
    });
    expect(response.headers.get('vary')).toContain('Origin');
  });

  test.each(['https://elsewhere.example.com', `${PLAYER}.evil.example`, 'null'])(
    'a page of %s is allowed nothing',
    async (origin) => {
      const edge = createPlayerHarness();
      for (const options of [preflight(origin), { headers: { origin } }]) {
        const { headers } = await edge.get(PATH, options);
        expect(headers.get('access-control-allow-origin')).toBeNull();
        expect(headers.get('timing-allow-origin')).toBeNull();
      }
    },
  );

  test('a page may read an answer and the headers that it needs to judge it', async () => {
    const edge = createPlayerHarness();
    await edge.get(PATH);
    const response = await edge.get(PATH, { headers: { origin: PLAYER } });
    expect(response.status).toBe(200);
    expect(corsHeaders(response)).toEqual([
      ['access-control-allow-origin', PLAYER],
      ['access-control-expose-headers', EXPOSED_HEADERS.join(',')],
    ]);
    expect(response.headers.get('vary')).toBe('Authorization, Origin');
    expect(response.headers.get('timing-allow-origin')).toBe(PLAYER);
  });

  test.each([
    ['304', { headers: { origin: PLAYER, 'if-none-match': '*' } }],
    ['400', { headers: { origin: PLAYER, 'earshot-debug': 'yes' } }],
    ['401', { headers: { origin: PLAYER }, authorization: null }],
    ['405', { headers: { origin: PLAYER }, method: 'POST' }],
  ])('a page may read a %s too', async (status, options) => {
    const response = await createPlayerHarness().get(PATH, options);
    expect(response.status).toBe(Number(status));
    expect(response.headers.get('access-control-allow-origin')).toBe(PLAYER);
  });

  test('every header of our own that an answer has is exposed, problems included', async () => {
    const edge = createPlayerHarness();
    const headers = { origin: PLAYER, 'earshot-debug': '1' };
    const answers = [
      await edge.get(PATH, { headers, scope: 'recs:debug' }),
      await edge.get(PATH, { headers, authorization: null }),
      await edge.get(PATH, { headers, method: 'POST' }),
      await edge.get('/v1/recommendations', { headers, method: 'QUERY', body: '{}' }),
      await edge.get(PATH, { headers: { ...headers, 'earshot-deadline-ms': '0' }, scope: 'recs:debug' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 405, 415, 504]);
    // Fetch, section 3.2.6, and the headers that only caches and browsers read.
    const readable = ['cache-control', 'content-length', 'content-type', 'vary'];
    readable.push('x-content-type-options', 'content-security-policy');
    const exposed = EXPOSED_HEADERS.map((name) => name.toLowerCase());
    const names = answers.flatMap((response) => [...response.headers.keys()]);
    const hidden = names.filter((name) => !/^(access-control|timing-allow)-/.test(name) && !exposed.includes(name));
    expect([...new Set(hidden)].filter((name) => !readable.includes(name))).toEqual([]);
    for (const name of ['retry-after', 'www-authenticate', 'x-request-id', 'earshot-decision', 'server-timing'])
      expect(names.filter((each) => each === name).length).toBeGreaterThan(0);
  });

  test.each([
    ['OpenTelemetry', 'traceparent,tracestate,baggage'],
    ['Zipkin', 'b3,x-b3-traceid,x-b3-spanid,x-b3-parentspanid,x-b3-sampled,x-b3-flags'],
    ['Sentry', 'sentry-trace,baggage'],
    ['Datadog', 'x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id,x-datadog-tags'],
    ['New Relic', 'newrelic,traceparent,tracestate'],
    ['Elastic', 'elastic-apm-traceparent,traceparent,tracestate'],
    ['Application Insights', 'request-id,request-context,traceparent'],
    ['Cloud Trace and X-Ray', 'x-cloud-trace-context,x-amzn-trace-id'],
    ['Jaeger', 'uber-trace-id'],
    ['our own', 'authorization,content-type,earshot-deadline-ms,earshot-debug,if-none-match,x-request-id'],
  ])('a preflight of a page traced by %s is allowed its headers', async (_library, names) => {
    const edge = createPlayerHarness();
    const { headers, ...options } = preflight(PLAYER);
    const asking = { ...headers, 'access-control-request-headers': names };
    const response = await edge.get(PATH, { ...options, headers: asking });
    expect(response.headers.get('access-control-allow-headers')?.split(',').sort()).toEqual(names.split(',').sort());
    const read = { ...Object.fromEntries(names.split(',').map((name) => [name, '1'])), origin: PLAYER };
    delete (read as Record<string, string>).authorization;
    expect(
      (await edge.get(PATH, { headers: { ...read, 'earshot-debug': '1' }, scope: 'recs:debug' })).status,
    ).toBeLessThan(500);
  });

  test('cookies are not allowed', async () => {
    const response = await createPlayerHarness().get(PATH, preflight(PLAYER));
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  });
});

test.each([{}, { CORS_ORIGINS: '' }])('without origins (%j) there is no CORS, and OPTIONS is 405', async (env) => {
  const edge = createPlayerHarness(env);
  const answers = [await edge.get(PATH, preflight(PLAYER)), await edge.get(PATH, { headers: { origin: PLAYER } })];
  expect(answers.map(({ status }) => status)).toEqual([405, 200]);
  expect(answers.flatMap(corsHeaders)).toEqual([]);
  expect(answers[1]?.headers.get('vary')).toBe('Authorization');
});
