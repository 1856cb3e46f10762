// Players in a browser: the access of a configured web origin, and none without configuration.
import { describe, expect, test } from 'vitest';
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
      'access-control-allow-headers':
        'Authorization,Content-Type,If-None-Match,traceparent,earshot-deadline-ms,Earshot-Debug',
      'access-control-max-age': '7200',
    });
    expect(response.headers.get('vary')).toContain('Origin');
  });

  test.each(['https://elsewhere.example.com', `${PLAYER}.evil.example`, 'null'])(
    'a page of %s is allowed nothing',
    async (origin) => {
      const edge = createPlayerHarness();
      for (const options of [preflight(origin), { headers: { origin } }]) {
        expect((await edge.get(PATH, options)).headers.get('access-control-allow-origin')).toBeNull();
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
      ['access-control-expose-headers', 'ETag,Cache-Status,Server-Timing,Age'],
    ]);
    expect(response.headers.get('vary')).toBe('Authorization, Origin');
    expect(response.headers.get('age')).toBe('0');
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
