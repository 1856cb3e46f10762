import { expect, test } from 'vitest';
import { EDGE_REPORT_PATH } from '../../../shared/wire/edge/edge-report.ts';
import { JSON_TYPE } from '../../../shared/wire/json-body.ts';
import { startInstance } from './instance.ts';
import { mintOriginToken, runOrigin } from './running-origin.ts';

const REPORT = {
  counters: { edge_requests_total: 7 },
  answers: { ok: { counts: [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], seconds: 0.007 } },
};

async function start() {
  const { origin, clock, scrape } = await runOrigin(await startInstance());
  const authorization = `Bearer ${await mintOriginToken(clock, { region: 'asia' })}`;
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${origin.url}${EDGE_REPORT_PATH}`, {
      method: 'POST',
      body,
      headers: { authorization, 'content-type': JSON_TYPE, ...headers },
    });
  const requests = async () => /^earshot_edge_requests_total\{.*\} (\d+)$/m.exec(await (await scrape()).text())?.[1];
  return { post, requests };
}

test("a report of the edge is part of the origin's metrics", async () => {
  const { post, requests } = await start();
  expect(await requests()).toBe('0');
  for (let i = 0; i < 2; i++) expect((await post(JSON.stringify(REPORT))).status).toBe(204);
  expect(await requests()).toBe('14');
});

test.each<[string, number, string, Record<string, string>]>([
  ['a stranger', 401, JSON.stringify(REPORT), { authorization: 'Bearer x' }],
  ['no JSON', 400, '{', {}],
  ['a negative count', 400, JSON.stringify({ ...REPORT, counters: { edge_requests_total: -1 } }), {}],
  ['a count that is no number', 400, JSON.stringify({ ...REPORT, counters: { edge_requests_total: '7' } }), {}],
  ['an infinite count', 400, '{"counters":{"edge_requests_total":1e999},"answers":{}}', {}],
  ['other classes of durations', 400, JSON.stringify({ ...REPORT, answers: { ok: { counts: [1], seconds: 1 } } }), {}],
  ['a body beyond 32 KiB', 413, JSON.stringify({ ...REPORT, padding: 'x'.repeat(33_000) }), {}],
])('%s is refused with %i, and counts nothing', async (_what, status, body, headers) => {
  const { post, requests } = await start();
  expect((await post(body, headers)).status).toBe(status);
  expect(await requests()).toBe('0');
});

test('names of counters that reach into objects are ignored', async () => {
  const { post, requests } = await start();
  const counters = '{"__proto__":1,"constructor":1,"edge_requests_total":1}';
  expect((await post(`{"counters":${counters},"answers":{}}`)).status).toBe(204);
  expect(await requests()).toBe('1');
});
