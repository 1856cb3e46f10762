// The archive of exposures: messages become gzipped NDJSON by hour, and the worker gives them back to an export.
import { beforeEach, describe, expect, test } from 'vitest';
import { archiveExposures, type Bucket, type ExposureMessage } from '../../../edge/exposures/archive.ts';
import { createHarness } from '../support/harness.ts';

const NINE = Date.UTC(2026, 10, 30, 9);
const HOUR_MS = 3_600_000;
let objects: Map<string, ArrayBuffer>;
let failure: Error | undefined;
let acknowledged: string[];

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

const messageOf = (id: string, ...atMs: number[]): ExposureMessage => ({
  body: { format: 1, exposures: atMs.map((each) => ({ id, atMs: each })) },
  ack: () => acknowledged.push(`ack ${id}`),
  retry: () => acknowledged.push(`retry ${id}`),
});

const unpack = async (value: ArrayBuffer | undefined): Promise<string> =>
  new Response(new Response(value ?? new ArrayBuffer(0)).body?.pipeThrough(new DecompressionStream('gzip'))).text();

beforeEach(() => {
  objects = new Map();
  failure = undefined;
  acknowledged = [];
});

test('a batch becomes one object for each hour, and is acknowledged after them', async () => {
  let id = 0;
  await archiveExposures([messageOf('a', NINE, NINE + HOUR_MS), messageOf('b', NINE)], bucket, () => `o${id++}`);
  expect([...objects.keys()]).toEqual(['exposures/2026-11-30T09/o0.ndjson.gz', 'exposures/2026-11-30T10/o1.ndjson.gz']);
  expect(await unpack(objects.get('exposures/2026-11-30T09/o0.ndjson.gz'))).toBe(
    `{"id":"a","atMs":${NINE}}\n{"id":"b","atMs":${NINE}}\n`,
  );
  expect(acknowledged).toEqual(['ack a', 'ack b']);
});

test('a bucket that fails leaves the messages in the queue', async () => {
  failure = new Error('no');
  await archiveExposures([messageOf('a', NINE)], bucket);
  expect(acknowledged).toEqual(['retry a']);
});

test('a message of a later format is set aside, and the others are archived', async () => {
  const later = { ...messageOf('later'), body: { format: 2, exposures: [] } };
  await archiveExposures([later, { ...messageOf('none'), body: null }, messageOf('a', NINE)], bucket);
  expect(acknowledged).toEqual(['retry later', 'retry none', 'ack a']);
  expect(objects.size).toBe(1);
});

describe('an export', () => {
  const scope = 'recs:exposures';
  const edgeWith = (archive?: Bucket) => createHarness(archive === undefined ? {} : { archive });

  test('lists the objects of an hour page by page, and reads each', async () => {
    let id = 0;
    for (const hour of [-1, 0, 0, 0])
      await archiveExposures([messageOf(`m${id}`, NINE + hour * HOUR_MS)], bucket, () => `o${id++}`);
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
    expect(await unpack(await response.arrayBuffer())).toBe(`{"id":"m2","atMs":${NINE}}\n`);
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

  test('without a bucket there is no archive', async () => {
    expect((await edgeWith().get('/internal/v1/exposures?since=2026-11-30T09', { scope })).status).toBe(404);
  });
});
