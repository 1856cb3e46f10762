// The archive of exposures: messages become gzipped NDJSON by hour, and the worker gives them back to an export.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archiveExposures, type Bucket, type ExposureMessage } from '../../../edge/exposures/archive.ts';
import type { Log, LogFields } from '../../../edge/log.ts';
import worker from '../../../edge/worker.ts';
import { createHarness } from '../support/harness.ts';

const NINE = Date.UTC(2026, 10, 30, 9);
const HOUR_MS = 3_600_000;
let objects: Map<string, ArrayBuffer>;
let failure: Error | undefined;
let acknowledged: string[];
let logs: [event: string, fields: LogFields][];

const keep = (event: string, fields: LogFields): void => {
  logs.push([event, fields]);
};
const log: Log = { warn: keep, error: keep };

const bucket: Bucket = {
  put: async (key, value) => {
    if (failure !== undefined) throw failure;
    objects.set(key, value);
  },
  get: async (key) => {
    const value = objects.get(key);
    return value === undefined ? null : { body: new Response(value).body as ReadableStream };
  },
  // One object a page.
  list: async ({ prefix, startAfter = '', cursor = startAfter }) => {
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > cursor).sort();
    const [key] = keys;
    const found = key === undefined ? [] : [{ key }];
    return {
      objects: found,
      truncated: keys.length > 1,
      ...(keys.length > 1 && key !== undefined ? { cursor: key } : {}),
    };
  },
};

const exposureOf = (id: string, atMs: unknown): object => ({
  ...{ id, atMs, hour: 500_000, userRef: 'ref', experiment: 'ranking', arm: 'knn', salt: 'ranking-1', generation: 1 },
  ...{ source: 'personal', reason: 'bucket', tier: 'isolate', region: undefined, country: undefined },
});
const lineOf = (id: string, atMs: number): string => `${JSON.stringify(exposureOf(id, atMs))}\n`;

const messageWith = (id: string, body: unknown): ExposureMessage => ({
  body,
  ack: () => acknowledged.push(`ack ${id}`),
  retry: ({ delaySeconds = 0 } = {}) => acknowledged.push(`retry ${id} in ${delaySeconds} s`),
});
const messageOf = (id: string, ...atMs: unknown[]): ExposureMessage =>
  messageWith(id, { format: 1, exposures: atMs.map((each) => exposureOf(id, each)) });

const archive = (messages: readonly ExposureMessage[], own: Bucket | undefined = bucket, makeId?: () => string) =>
  archiveExposures(messages, own, log, makeId);

const unpack = async (value: ArrayBuffer | undefined): Promise<string> =>
  new Response(new Response(value ?? new ArrayBuffer(0)).body?.pipeThrough(new DecompressionStream('gzip'))).text();

beforeEach(() => {
  objects = new Map();
  failure = undefined;
  acknowledged = [];
  logs = [];
});

afterEach(() => vi.restoreAllMocks());

test('a batch becomes one object for each hour, and is acknowledged after them', async () => {
  let id = 0;
  await archive([messageOf('a', NINE, NINE + HOUR_MS), messageOf('b', NINE)], bucket, () => `o${id++}`);
  expect([...objects.keys()]).toEqual(['exposures/2026-11-30T09/o0.ndjson.gz', 'exposures/2026-11-30T10/o1.ndjson.gz']);
  expect(await unpack(objects.get('exposures/2026-11-30T09/o0.ndjson.gz'))).toBe(lineOf('a', NINE) + lineOf('b', NINE));
  expect([acknowledged, logs]).toEqual([['ack a', 'ack b'], []]);
});

test('a bucket that fails leaves the messages in the queue for a minute, with one line in the log', async () => {
  failure = new Error('put: We encountered an internal error. (10001)');
  await archive([messageOf('a', NINE, NINE), messageOf('b', NINE)]);
  expect(acknowledged).toEqual(['retry a in 60 s', 'retry b in 60 s']);
  expect(logs).toEqual([['exposures_not_archived', { messages: 2, exposures: 3, message: failure.message }]]);
});

test('a worker without a bucket does the same, and the log names the binding', async () => {
  const line = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const { queue } = worker;
  await queue({ messages: [messageOf('a', NINE)] } as never, {});
  expect(acknowledged).toEqual(['retry a in 60 s']);
  expect(line.mock.calls.map(([text]) => JSON.parse(String(text)))).toEqual([
    { ...{ level: 'error', event: 'exposures_not_archived', messages: 1, exposures: 1 }, message: expect.any(String) },
  ]);
  expect(String(line.mock.calls)).toContain('EXPOSURE_ARCHIVE');
});

describe('a message that is not known is set aside with a line in the log, and the others are archived', () => {
  test.each<[string, unknown, string]>([
    ['of a later format', { format: 2, exposures: [] }, 'expected the format 1'],
    ['without a body', null, 'expected the format 1'],
    ['without a list', { format: 1, exposures: 'x' }, 'expected the format 1'],
    ['with no moment', { format: 1, exposures: [exposureOf('x', NINE), exposureOf('x', 'soon')] }, 'atMs: '],
    ['with a moment beyond all dates', { format: 1, exposures: [exposureOf('x', 9e15)] }, 'atMs: '],
    [
      'with a moment beyond the names of hours',
      { format: 1, exposures: [exposureOf('x', 253_402_300_800_000)] },
      'atMs: ',
    ],
    ['with a moment before the epoch', { format: 1, exposures: [exposureOf('x', -1)] }, 'atMs: '],
    ['with an element that is none', { format: 1, exposures: [null] }, 'expected object'],
    ['that an export could not read', { format: 1, exposures: [{ ...exposureOf('x', NINE), arm: 7 }] }, 'arm: '],
  ])('%s', async (_case, body, reason) => {
    await archive([messageWith('bad', body), messageOf('a', NINE)]);
    expect(acknowledged).toEqual(['retry bad in 60 s', 'ack a']);
    expect([...objects.values()]).toHaveLength(1);
    expect(await unpack([...objects.values()][0])).toBe(lineOf('a', NINE));
    expect(logs).toEqual([['exposures_unknown', { messages: 1, message: expect.stringContaining(reason) }]]);
  });
});

describe('an export', () => {
  const scope = 'recs:exposures';
  const edgeWith = (archive?: Bucket) => createHarness(archive === undefined ? {} : { archive });

  test('lists the objects of an hour page by page, and reads each', async () => {
    let id = 0;
    for (const hour of [-1, 0, 0, 0])
      await archive([messageOf(`m${id}`, NINE + hour * HOUR_MS)], bucket, () => `o${id++}`);
    const edge = edgeWith(bucket);
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const query = `since=2026-11-30T09${cursor === undefined ? '' : `&cursor=${cursor}`}`;
      const page = (await (await edge.get(`/internal/v1/exposures?${query}`, { scope })).json()) as {
        names: string[];
        cursor?: string;
      };
      names.push(...page.names);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(names).toEqual(['o1', 'o2', 'o3'].map((each) => `2026-11-30T09/${each}.ndjson.gz`));
    const response = await edge.get(`/internal/v1/exposures/${names[1]}`, { scope });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/gzip']);
    expect(await unpack(await response.arrayBuffer())).toBe(lineOf('m2', NINE));
  });

  test.each([
    ['?since=2026-11-30T09', '', 403],
    ['?since=2026-11-30', scope, 400],
    ['', scope, 400],
    ['/2026-11-30T09/missing.ndjson.gz', scope, 404],
    ['/2026-11-30T09/..%2F..%2Fsecret', scope, 400],
    ['/2026-11-30T09/x.txt', scope, 400],
  ])('of %s with the scope "%s" is answered with %d', async (path, own, status) => {
    expect((await edgeWith(bucket).get(`/internal/v1/exposures${path}`, { scope: own })).status).toBe(status);
  });

  test.each([
    ['list: The cursor is not valid. (10029)', 400, 'invalid_request'],
    ['list: Invalid continuation token (10001)', 400, 'invalid_request'],
    ['list: We encountered an internal error. Please try again. (10001)', 503, 'unavailable'],
    ['Network connection lost.', 503, 'unavailable'],
  ])('with a cursor that R2 answers with "%s" has status %d', async (message, status, code) => {
    const list = async () => {
      throw new Error(message);
    };
    const edge = edgeWith({ ...bucket, list });
    const response = await edge.get('/internal/v1/exposures?since=2026-11-30T09&cursor=garbage', { scope });
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
    const expected = { status: 503, code, causes: `Error: ${message}` };
    expect(edge.logs).toEqual(
      status === 400 ? [] : [{ event: 'request_failed', fields: expect.objectContaining(expected) }],
    );
  });

  test.each([
    ['?since=2026-11-30T09', 'list: The cursor is not valid. (10029)'],
    ['/2026-11-30T09/o1.ndjson.gz', 'get: We encountered an internal error. Please try again. (10001)'],
  ])('of %s is 503 while R2 fails', async (path, message) => {
    const fail = async () => {
      throw new Error(message);
    };
    const edge = edgeWith({ ...bucket, list: fail, get: fail });
    const response = await edge.get(`/internal/v1/exposures${path}`, { scope });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(edge.logs).toHaveLength(1);
  });

  test('without a bucket there is no archive', async () => {
    expect((await edgeWith().get('/internal/v1/exposures?since=2026-11-30T09', { scope })).status).toBe(404);
  });
});
