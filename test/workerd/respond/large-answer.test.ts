// An answer has a bound in bytes, and equal reads of it share their list. An account has the bytes that are being sent.
import { beforeEach, describe, expect, test } from 'vitest';
import { LARGE_ANSWER_BYTES, MAX_SEND_MS } from '../../../edge/respond/large-answer.ts';
import { encodeItem, ITEM_SEPARATOR, type StoredList } from '../../../shared/domain/list.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { batchOptions, POST_PATH, type Result, readsOf, resultsOf } from '../support/batches.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { expandedKeyOf, GENERATION, keyOf, makeList } from '../support/lists.ts';
import { turnUntil } from '../support/turns.ts';

const MAX_BYTES = 1_048_576;
const PATH = '/v1/me/recommendations/home?expand=items&limit=100';
let edge: Harness;

/** 20 items of `itemBytes` of metadata. */
function makeLarge(label: string, itemBytes: number): StoredList {
  const items = Array.from({ length: 20 }, (_, i) => {
    const text = `${label}-${i}-`.padEnd(itemBytes, 'x');
    return `${encodeItem(`${label}:${i + 1}`, '1').slice(0, -1)},"metadata":{"text":"${text}"}}`;
  });
  const bytes = encodeUtf8(items.join(ITEM_SEPARATOR));
  return { kind: 'list', bytes, generation: GENERATION, digest: `large-${label}` };
}

/** 400 kB, so that two of them fit in an answer and three do not. */
const LARGE = makeLarge('a', 20_000);

beforeEach(() => {
  edge = createHarness({ env: { ...ONE_REGION, MAX_ANSWER_BYTES: String(MAX_BYTES) } });
  edge.origins.put(expandedKeyOf('ann'), LARGE);
  edge.origins.put(expandedKeyOf('dan'), makeLarge('d', 60_000));
  edge.origins.put(keyOf('bob'), makeList('b'));
});

const large = (user = 'ann') => ({ user, surface: 'home', expand: 'items', limit: 100 });

async function readAll(reads: readonly unknown[]): Promise<{ results: readonly Result[]; bytes: number }> {
  const response = await edge.get(POST_PATH, batchOptions(JSON.stringify({ reads })));
  expect(response.status).toBe(200);
  const body = await response.arrayBuffer();
  return { results: await resultsOf(new Response(body)), bytes: body.byteLength };
}

describe('an answer has a bound in bytes', () => {
  test('100 equal reads are loaded once; the first ones get the list, the others a problem that says so', async () => {
    const { results, bytes } = await readAll(Array.from({ length: 100 }, () => large()));
    const statuses = results.map(({ status }) => status);
    expect(statuses).toEqual([200, 200, ...Array<number>(98).fill(413)]);
    for (const { items } of results.slice(0, 2))
      expect(items).toEqual(JSON.parse(`[${new TextDecoder().decode(LARGE.bytes)}]`));
    expect(results[99]).toEqual({
      status: 413,
      user: 'ann',
      surface: 'home',
      problem: {
        type: 'urn:earshot:problem:answer_too_large',
        title: 'The answer would be too large; ask for less in one request.',
        status: 413,
        code: 'answer_too_large',
        detail: `expected at most ${MAX_BYTES} bytes in one answer: read the rest with another request`,
      },
    });
    expect(bytes).toBeLessThan(MAX_BYTES + 98 * 400);
    expect(edge.counters.get('edge_origin_reads_total')).toBe(1);
  });

  test('reads after the one that does not fit are answered if they fit', async () => {
    const { results } = await readAll([large(), large('dan'), large(), ...readsOf(['bob'])]);
    expect(results.map(({ status }) => status)).toEqual([200, 413, 200, 200]);
    expect(results[3]?.items).toHaveLength(50);
  });

  test('the rest is read with another request', async () => {
    await readAll(Array.from({ length: 3 }, () => large()));
    expect((await readAll([large()])).results.map(({ status }) => status)).toEqual([200]);
  });

  test('a single list beyond it is the problem itself, and a part of it is not', async () => {
    const refused = await edge.get(PATH, { sub: 'dan' });
    expect([refused.status, refused.headers.get('cache-control'), await refused.json()]).toMatchObject([
      413,
      'no-store',
      {
        code: 'answer_too_large',
        detail: `expected at most ${MAX_BYTES} bytes in one answer: read fewer items with limit`,
      },
    ]);
    const part = await edge.get(PATH.replace('100', '10'), { sub: 'dan' });
    expect([part.status, ((await part.json()) as Result).items?.length]).toEqual([200, 10]);
  });
});

describe('a large answer', () => {
  const sendLarge = (): Promise<Response> => edge.send(PATH);

  test('is counted until its caller has it, and its list stays whole in the cache', async () => {
    const first = await sendLarge();
    expect(edge.inFlight.bytes).toBeGreaterThan(LARGE_ANSWER_BYTES);
    const text = await first.text();
    await turnUntil(() => edge.inFlight.bytes === 0);
    const second = await sendLarge();
    expect(second.headers.get('cache-status')).toMatch(/^isolate; hit/);
    expect(await second.text()).toBe(text);
    expect((JSON.parse(text) as Result).items).toHaveLength(20);
  });

  test('counts its list once, however often a batch has it', async () => {
    const batch = batchOptions(JSON.stringify({ reads: [large(), large()] }));
    const response = await edge.send(POST_PATH, batch);
    expect(edge.inFlight.bytes).toBeLessThan(LARGE.bytes.length + 2_000);
    await response.arrayBuffer();
    await turnUntil(() => edge.inFlight.bytes === 0);
  });

  test('is not counted any more when its caller has gone', async () => {
    const response = await sendLarge();
    const reader = response.body?.getReader();
    await reader?.read();
    expect(edge.inFlight.bytes).toBeGreaterThan(0);
    await reader?.cancel();
    await turnUntil(() => edge.inFlight.bytes === 0);
  });

  test('is not counted any more, and ends, when its caller reads too slowly', async () => {
    const response = await sendLarge();
    edge.clock.advance(MAX_SEND_MS);
    await turnUntil(() => edge.inFlight.bytes === 0);
    await expect(response.text()).rejects.toThrow('reads too slowly');
  });

  test('leaves no timer behind', async () => {
    await (await sendLarge()).text();
    await turnUntil(() => edge.inFlight.bytes === 0);
    expect(edge.clock.pending()).toBe(0);
  });

  test('of a HEAD has no body, and is not counted', async () => {
    const response = await edge.send(PATH, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/json',
      '',
    ]);
    expect(edge.inFlight.bytes).toBe(0);
  });
});

test('beyond the bound of all answers a large one is 503 and counted, a small one is answered, and room comes back', async () => {
  await edge.get('/v1/me/recommendations/home', { sub: 'bob' });
  const open: Response[] = [];
  let refused: Response | undefined;
  while (refused === undefined && open.length < 200) {
    const response = await edge.send(PATH);
    if (response.status === 200) open.push(response);
    else refused = response;
  }
  expect([refused?.status, refused?.headers.get('retry-after'), await refused?.json()]).toMatchObject([
    503,
    '1',
    { code: 'overloaded' },
  ]);
  expect(open.length * LARGE.bytes.length).toBeGreaterThan(20 * MAX_BYTES);
  expect(open.length * LARGE.bytes.length).toBeLessThan(25 * MAX_BYTES);
  expect(edge.counters.get('edge_large_answers_shed_total')).toBe(1);
  const batch = await edge.send(POST_PATH, batchOptions(JSON.stringify({ reads: [large()] })));
  expect(batch.status).toBe(503);
  expect((await edge.get('/v1/me/recommendations/home', { sub: 'bob' })).status).toBe(200);
  await open.pop()?.text();
  await turnUntil(() => edge.inFlight.bytes < open.length * (LARGE.bytes.length + 1_000));
  expect((await edge.send(PATH)).status).toBe(200);
  await Promise.all(open.map((response) => response.body?.cancel()));
});
