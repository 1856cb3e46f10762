// Answers of origins that are too large: bounded while they are read, and the fault of their lists, of no region and of
// no other caller.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { BodyTooLarge, NoRoom, readBody } from '../../../edge/request/read-body.ts';
import { MAX_LISTS_BYTES } from '../../../edge/upstream/split-refused.ts';
import { createByteAccount } from '../../../shared/runtime/byte-account.ts';
import { boundResults } from '../../../shared/wire/bounded-results.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import { LISTS_READ_PATH, type ListQuery } from '../../../shared/wire/read-request.ts';
import { encodeListFrames, type ListResult, MAX_FRAMES_BYTES } from '../../../shared/wire/read-response.ts';
import { batchOptions, POST_PATH, readBatch } from '../support/batches.ts';
import { createHarness, type Harness, ONE_REGION } from '../support/harness.ts';
import { GENERATION, makeList } from '../support/lists.ts';
import { turnUntil } from '../support/turns.ts';

const LARGE_BYTES = 1_600_000;
const LARGE = new Uint8Array(LARGE_BYTES).fill(0x20);

interface Sent {
  /** Bytes of each answer. */
  readonly bytes: number[];
}

/** An edge whose origins have a list of 1.6 MB for every expanded key, and a short one for every other key. */
function setUp(
  bound: (results: ListResult[]) => readonly ListResult[],
  env: object = {},
  until: Promise<void> = Promise.resolve(),
): Harness & { sent: Sent } {
  const sent: Sent = { bytes: [] };
  const listOf = ({ user, expand }: ListQuery): ListResult =>
    expand === undefined
      ? makeList(user)
      : { kind: 'list', generation: GENERATION, digest: `large-${user}`, bytes: LARGE };
  const edge: Harness = createHarness({
    env: { ...ONE_REGION, ...env },
    fetch: async (url, init) => {
      if (!url.endsWith(LISTS_READ_PATH)) return edge.origins.fetch(url, init);
      const { keys } = JSON.parse(String(init.body)) as { keys: ListQuery[] };
      await until;
      const frames = encodeListFrames(bound(keys.map(listOf)));
      sent.bytes.push(frames.length);
      return new Response(frames);
    },
  });
  return Object.assign(edge, { sent });
}

const large = (user: string) => ({ user, surface: 'home', expand: 'items', limit: 100 });
const small = (user: string) => ({ user, surface: 'home' });
const users = (count: number): string[] => Array.from({ length: count }, (_, i) => `u${i}`);

async function expectUnharmed(edge: Harness): Promise<void> {
  const response = await edge.get(STATUS_PATH, { scope: 'recs:status' });
  const { regions } = edgeStatusSchema.parse(await response.json());
  expect(regions.map(({ state, failures }) => [state, failures])).toEqual([['healthy', 0]]);
  expect(edge.counters.get('edge_ejections_total')).toBe(0);
  expect(edge.inFlight.bytes).toBe(0);
}

describe('an origin that bounds its answer', () => {
  test('is asked again for the lists that it left out, and the short ones came first', async () => {
    const edge = setUp(boundResults, { MAX_ANSWER_BYTES: '33554432' });
    const results = await readBatch(edge, [...users(6).map(large), ...users(8).map(small)]);
    expect(results.map(({ status, source }) => [status, source])).toEqual(Array(14).fill([200, 'personal']));
    // Two of 1.6 MB fit in an answer of 4 MiB, so three answers have all six.
    expect(edge.sent.bytes.length).toBe(3);
    await expectUnharmed(edge);
  });

  test.each([{ REGION_TIER: 'off' }, { REGION_TIER: 'on' }])(
    'is asked for no more than an isolate can hold, and the rest gets a fallback (%j)',
    async (env) => {
      const edge = setUp(boundResults, env);
      const results = await readBatch(edge, [...users(60).map(large), ...users(40).map(small)]);
      expect(results.slice(60).map(({ status, source }) => [status, source])).toEqual(
        Array(40).fill([200, 'personal']),
      );
      for (const { status } of results.slice(0, 60)) expect([200, 413]).toContain(status);
      const shards = env.REGION_TIER === 'on' ? 8 : 1;
      const total = edge.sent.bytes.reduce((sum, bytes) => sum + bytes, 0);
      expect(total).toBeLessThan(shards * (MAX_LISTS_BYTES + MAX_FRAMES_BYTES));
      if (shards === 1) expect(total).toBeLessThan(60 * LARGE_BYTES * 0.25);
      await expectUnharmed(edge);
    },
  );
});

describe('an origin that does not', () => {
  test('fails the lists, which are read apart, and no region and no other list', async () => {
    const edge = setUp((results) => results);
    const results = await readBatch(edge, [...users(14).map(large), ...users(14).map(small)]);
    expect(edge.sent.bytes[0]).toBeGreaterThan(MAX_FRAMES_BYTES);
    expect(results.slice(14).map(({ status, source }) => [status, source])).toEqual(Array(14).fill([200, 'personal']));
    expect(edge.logs.map(({ event, fields }) => [event, fields.reason])).toContainEqual(['region_failed', 'too-large']);
    await expectUnharmed(edge);
  });
});

test('a load that finds no room in the isolate fails alone: no region is at fault, and room comes back', async () => {
  const edge = setUp(boundResults);
  const hold = edge.inFlight.open();
  while (hold.tryAdd(1_000_000));
  const PATH = '/v1/me/recommendations/home?expand=items&limit=100';
  const response = await edge.get(PATH);
  // The list without metadata needs little room.
  expect(await response.json()).toMatchObject({ source: 'personal', items: expect.any(Array) });
  expect(response.headers.get('cache-status')).toContain('detail=unexpanded');
  hold.release();
  await expectUnharmed(edge);
  expect((await edge.get(PATH, { sub: 'u1' })).headers.get('cache-status')).not.toContain('unexpanded');
});

test('a load that outlives its batch is counted for nobody, and its other callers get it', async () => {
  const answered = Promise.withResolvers<void>();
  const edge = setUp(boundResults, {}, answered.promise);
  await edge.get('/v1/me/recommendations/radio', { sub: 'warms-the-manifest' });
  const body = JSON.stringify({ reads: [large('ann')] });
  const hasty = { ...batchOptions(body), headers: { ...batchOptions(body).headers, 'earshot-deadline-ms': '50' } };
  const batch = edge.send(POST_PATH, { sub: 'ann', ...hasty });
  await turnUntil(() => edge.counters.get('edge_attempts_total') === 1);
  const patient = edge.send('/v1/me/recommendations/home?expand=items&limit=100', { sub: 'ann' });
  await turnUntil(() => edge.counters.get('edge_reads_total') === 3);
  edge.clock.advance(50);
  let isBatchOver = false;
  const over = batch.then(async (response) => {
    await response.text();
    isBatchOver = true;
  });
  // Each step of the fallback chain has a wait of its own.
  await turnUntil(() => {
    edge.clock.advance(1);
    return isBatchOver;
  });
  await over;
  answered.resolve();
  expect(await (await patient).json()).toMatchObject({ source: 'personal', user: 'ann' });
  await turnUntil(() => edge.inFlight.bytes === 0);
});

describe('a body is read with a bound', () => {
  const account = () => createByteAccount({ clock: createManualClock(), maxBytes: 1_000, maxAgeMs: 1_000 });
  const streamed = (chunks: number[], onCancel = () => {}): Response =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          const bytes = chunks.shift();
          if (bytes === undefined) controller.close();
          else controller.enqueue(new Uint8Array(bytes).fill(7));
        },
        cancel: onCancel,
      }),
    );

  test('whole if it is within it, with and without a length', async () => {
    expect(
      await readBody(new Response(new Uint8Array(100), { headers: { 'content-length': '100' } }), 100),
    ).toHaveLength(100);
    expect(await readBody(streamed([60, 40]), 100)).toEqual(new Uint8Array(100).fill(7));
    expect(await readBody(new Response(null), 100)).toHaveLength(0);
  });

  test('and cancelled beyond it', async () => {
    let cancelled = 0;
    await expect(
      readBody(
        streamed([60, 41, 1, 1], () => cancelled++),
        100,
      ),
    ).rejects.toThrow(BodyTooLarge);
    expect(cancelled).toBe(1);
    const declared = new Response(new Uint8Array(101), { headers: { 'content-length': '101' } });
    await expect(readBody(declared, 100)).rejects.toThrow(BodyTooLarge);
  });

  test('and counted chunk by chunk, so that one without a length cannot go beyond the room', async () => {
    const inFlight = account();
    const hold = inFlight.open();
    await expect(readBody(streamed([600, 600, 600]), 10_000, hold)).rejects.toThrow(NoRoom);
    expect(inFlight.bytes).toBe(600);
    hold.release();
    await readBody(streamed([600]), 10_000, inFlight.open());
    expect(inFlight.bytes).toBe(600);
  });

  test('and the length of a compressed body says nothing of its content', async () => {
    const compressed = new Response(streamed([60, 60]).body, {
      headers: { 'content-length': '20', 'content-encoding': 'x' },
    });
    await expect(readBody(compressed, 100)).rejects.toThrow(BodyTooLarge);
  });
});
