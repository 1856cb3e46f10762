// Reads of the archive that fail: how often they are repeated, after which waits, and how they end.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createArchiveClient, MAX_ATTEMPTS } from '../../../../ops/exposures/archive-client.ts';

const TARGET = { url: 'http://edge', token: 'secret' };
type Outcome = Response | Error | 'never';

/** A client whose requests have `outcomes` in their order, the last one again and again. */
function start(outcomes: Outcome[], random = () => 0.5) {
  const clock = createManualClock(0);
  const startedAt: number[] = [];
  const requests: { url: string; authorization: string | null }[] = [];
  const fetchScripted: typeof fetch = async (input, init) => {
    startedAt.push(clock.now());
    requests.push({ url: String(input), authorization: new Headers(init?.headers).get('authorization') });
    const outcome = outcomes[Math.min(startedAt.length, outcomes.length) - 1];
    if (outcome instanceof Response) return outcome.clone();
    if (outcome instanceof Error) throw outcome;
    return new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
    });
  };
  const client = createArchiveClient(TARGET, { fetch: fetchScripted, clock, random });
  /** The result, while time goes by in steps of 100 ms. */
  const finish = async <T>(result: Promise<T>): Promise<T> => {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    result.then(over, over);
    for (let i = 0; i < 100_000 && !isOver; i++) {
      await new Promise(setImmediate);
      clock.advance(100);
    }
    return result;
  };
  return { clock, client, startedAt, requests, finish };
}

const refusal = (status: number, headers: Record<string, string> = {}) => new Response('no', { status, headers });

test('an answer is the body of one request with the token', async () => {
  const { client, finish, requests } = start([new Response('yes')]);
  expect((await finish(client.get('/path'))).toString()).toBe('yes');
  expect(requests).toEqual([{ url: 'http://edge/path', authorization: 'Bearer secret' }]);
});

describe('a failure that passes is repeated', () => {
  const broken = new Response(
    new ReadableStream({
      start: (controller) => controller.error(new Error('the connection broke')),
    }),
  );
  test.each<[string, Outcome]>([
    ['429', refusal(429)],
    ['500', refusal(500)],
    ['503', refusal(503)],
    ['no connection', new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })],
    ['a body that breaks', broken],
    ['no answer in 60 s', 'never'],
  ])('%s', async (_case, outcome) => {
    const { client, finish, startedAt, clock } = start([outcome, new Response('yes')]);
    expect((await finish(client.get('/path'))).toString()).toBe('yes');
    expect(startedAt).toHaveLength(2);
    expect(clock.pending()).toBe(0);
  });
});

test.each([301, 400, 401, 403, 404])('status %d is not repeated', async (status) => {
  const { client, finish, startedAt } = start([refusal(status)]);
  await expect(finish(client.get('/path'))).rejects.toThrow(`the edge answered /path with status ${status}: no`);
  expect(startedAt).toHaveLength(1);
});

test('waits double up to 30 s, with jitter', async () => {
  const { client, finish, startedAt } = start([refusal(503)], () => 0.9999);
  await expect(finish(client.get('/path'))).rejects.toThrow(
    `the edge answered /path with status 503 after ${MAX_ATTEMPTS} attempts: no`,
  );
  const waits = startedAt.slice(1).map((atMs, i) => atMs - (startedAt[i] ?? 0));
  expect(waits).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800]);
});

test.each([
  ['7', 7_000],
  ['Thu, 01 Jan 1970 00:00:09 GMT', 9_000],
  ['86400', 300_000],
  ['nonsense', 0],
])('Retry-After: %s is the least wait, up to five minutes', async (header, leastMs) => {
  const { client, finish, startedAt } = start([refusal(429, { 'retry-after': header }), new Response('yes')]);
  await finish(client.get('/path'));
  expect(startedAt[1]).toBeGreaterThanOrEqual(leastMs);
  expect(startedAt[1]).toBeLessThanOrEqual(leastMs + 200);
});

test('a worker that never answers is one error with the reason', async () => {
  const { client, finish } = start([new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })]);
  await expect(finish(client.get('/path'))).rejects.toThrow(
    `the edge does not answer /path after ${MAX_ATTEMPTS} attempts: fetch failed (connect ECONNREFUSED)`,
  );
});

test('the end of a client ends its requests and its waits', async () => {
  const { client, clock } = start(['never']);
  const waiting = start([refusal(503)]);
  const reads = [client.get('/path'), waiting.client.get('/path')].map((read) =>
    read.then(
      () => 'answered',
      () => 'ended',
    ),
  );
  await new Promise(setImmediate);
  client.close();
  waiting.client.close();
  expect(await Promise.all(reads)).toEqual(['ended', 'ended']);
  expect([clock.pending(), waiting.clock.pending()]).toEqual([0, 0]);
});
