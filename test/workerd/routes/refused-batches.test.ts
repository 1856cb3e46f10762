// A table of refused batches: refused as a whole, or one read in its place while the others are answered.
import { beforeEach, describe, expect, test } from 'vitest';
import { isErrorCode, problemOf } from '../../../shared/wire/errors.ts';
import { batchOptions, POST_PATH, QUERY_PATH, readBatch, sendBatch } from '../support/batches.ts';
import { createHarness, type GetOptions, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import table from './refused-batches.json';

interface RefusedRequest {
  readonly name: string;
  readonly body: string;
  readonly headers?: Record<string, string>;
  readonly status?: number;
  readonly code?: string;
  readonly detail: string;
  readonly accepted?: Record<string, string>;
}

interface RefusedRead {
  readonly name: string;
  readonly read: unknown;
  readonly status?: number;
  readonly code?: string;
  readonly detail: string;
}

const MAX_BYTES = 65_536;
const good = (user: string) => ({ user, surface: 'home', limit: 1 });
const scope = 'recs:read:any recs:preview';
let edge: Harness;

const problemOfCode = (code: string, status: number, detail: string) => {
  const title = isErrorCode(code) ? problemOf(code).title : undefined;
  return { type: `urn:earshot:problem:${code}`, title, status, code, detail };
};
/** The texts among `user` and `surface` of a read, which stand beside its problem. */
const ownerOf = (read: unknown): object =>
  Object.fromEntries(
    ['user', 'surface'].flatMap((name) => {
      const value = (Object(read) as Record<string, unknown>)[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
const post = (body: BodyInit, options?: GetOptions) => edge.get(POST_PATH, batchOptions(body, options));

beforeEach(() => {
  edge = createHarness();
  for (const user of ['ann', 'bob']) edge.origins.put(keyOf(user), makeList(user));
});

describe.each([
  { method: 'POST', path: POST_PATH },
  { method: 'QUERY', path: QUERY_PATH },
])('$method', ({ method, path }) => {
  test.each(table.requests as RefusedRequest[])('with $name is refused as a whole', async (refused) => {
    const { body, headers = {}, status = 400, code = 'invalid_request', detail, accepted = {} } = refused;
    const response = await edge.get(path, batchOptions(body, { method, headers, scope }));
    expect(await response.json()).toEqual(problemOfCode(code, status, detail));
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('accept-query')).toBe(method === 'QUERY' ? 'application/json' : null);
    for (const name of ['accept', 'accept-encoding']) expect(response.headers.get(name)).toBe(accepted[name] ?? null);
    expect(edge.origins.calls).toEqual([]);
  });

  test('without a Content-Type is refused', async () => {
    const body = new TextEncoder().encode(JSON.stringify({ reads: [good('ann')] }));
    const options = batchOptions(body, { method });
    const { 'content-type': _, ...headers } = options.headers ?? {};
    const response = await edge.get(path, { ...options, headers });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      detail: 'expected Content-Type to be application/json, got nothing',
    });
  });
});

describe('a read in its place', () => {
  test.each(table.reads as RefusedRead[])(
    'that is $name is refused between neighbours that are answered',
    async (refused) => {
      const { read, status = 400, code = 'invalid_request', detail } = refused;
      const results = await readBatch(edge, [good('ann'), read, good('bob')], { scope });
      expect(results[1]).toEqual({ status, ...ownerOf(read), problem: problemOfCode(code, status, detail) });
      expect(results.map(({ items }) => items !== undefined)).toEqual([true, false, true]);
      expect(edge.origins.calls.flatMap(({ keys }) => keys)).toEqual([keyOf('ann'), keyOf('bob')]);
    },
  );

  test('that is half a character is refused in text that is UTF-8', async () => {
    const response = await post('{"reads":[{"user":"\\ud83d","surface":"home"}]}');
    expect(await response.text()).toContain('got \\"\\\\ud83d\\""');
  });

  test('nested as deeply as a body allows is refused like any other', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const response = await post(
      `{"reads":[${deep},{"user":${deep.slice(29_000, -29_000)},"surface":"home"},{"user":"ann","surface":"home"}]}`,
    );
    expect(await response.json()).toMatchObject({ results: [{ status: 400 }, { status: 400 }, { user: 'ann' }] });
  });

  test('with thousands of unknown members is refused, without an answer much longer than the request', async () => {
    const members = Array.from({ length: 5_000 }, (_, i) => [`m${i}`, 0]);
    const reads = [{ ...good('ann'), ...Object.fromEntries(members) }];
    const response = await sendBatch(edge, reads);
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(2 * JSON.stringify({ reads }).length);
  });
});

describe('the number of reads', () => {
  test.each([1, 100])('may be %i', async (count) => {
    const results = await readBatch(edge, Array(count).fill(good('ann')));
    expect(results).toHaveLength(count);
    for (const { user } of results) expect(user).toBe('ann');
  });

  test.each([101, 1_000])('may not be %i', async (count) => {
    const response = await sendBatch(edge, Array(count).fill(good('ann')));
    expect(await response.json()).toEqual(
      problemOfCode('invalid_request', 400, `expected 1 to 100 reads, got ${count}`),
    );
    expect(edge.origins.calls).toEqual([]);
  });
});

describe('the size of the body', () => {
  const padded = (bytes: number) => JSON.stringify({ reads: [good('ann')] }).padEnd(bytes);
  const chunked = (text: string, onPull: () => void = () => {}) => {
    const chunks = text.match(/.{1,4096}/gs) ?? [];
    return new ReadableStream({
      pull: (controller) => {
        onPull();
        const chunk = chunks.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(chunk));
      },
    });
  };

  test('lets a hundred of the longest reads pass, indented', async () => {
    const longest = {
      user: 'u'.repeat(128),
      surface: 's'.repeat(32),
      limit: 100,
      fallback: 'popular',
      variant: 'v'.repeat(32),
    };
    const response = await post(JSON.stringify({ reads: Array(100).fill(longest) }, undefined, 4), { scope });
    expect(response.status).toBe(200);
  });

  test.each([
    ['in one piece', padded],
    ['in chunks', (bytes: number) => chunked(padded(bytes))],
  ])('may be 64 KiB %s, and not a byte more', async (_, make) => {
    expect((await post(make(MAX_BYTES))).status).toBe(200);
    edge = createHarness();
    const response = await post(make(MAX_BYTES + 1));
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual(problemOfCode('payload_too_large', 413, 'expected at most 65536 bytes'));
    expect(edge.origins.calls).toEqual([]);
  });

  test('is believed when the caller names it, before anything is read', async () => {
    let pulls = 0;
    const body = chunked(padded(8_192), () => pulls++);
    const before = pulls;
    expect((await post(body, { headers: { 'content-length': String(MAX_BYTES + 1) } })).status).toBe(413);
    expect(pulls - before).toBeLessThanOrEqual(1);
  });

  test('bounds the bytes read of an endless body', async () => {
    let pulls = 0;
    const response = await post(chunked(padded(100 * MAX_BYTES), () => pulls++));
    expect(response.status).toBe(413);
    expect(pulls).toBeLessThan(20);
  });
});

describe('bytes', () => {
  test.each([
    ['that are not UTF-8', [0xff, 0xfe]],
    ['of a longer form than need be', [0x22, 0xc0, 0xaf, 0x22]],
    ['of half a surrogate pair', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ])('%s are refused', async (_, bytes) => {
    const response = await post(new Uint8Array(bytes));
    expect(await response.json()).toEqual(problemOfCode('invalid_request', 400, 'expected the body to be UTF-8'));
  });

  test('that stop before their end are the caller’s fault, and not logged', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) });
    const response = await post(broken);
    expect(await response.json()).toEqual(problemOfCode('invalid_request', 400, 'the body ended early'));
    expect(edge.logs).toEqual([]);
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/json ; v=1'])(
    'as %s are accepted',
    async (type) => {
      const headers = { 'content-type': type, 'content-encoding': 'identity' };
      expect((await sendBatch(edge, [good('ann')], { headers })).status).toBe(200);
    },
  );
});

describe('methods', () => {
  test.each([
    ['GET', QUERY_PATH, 'QUERY'],
    ['HEAD', QUERY_PATH, 'QUERY'],
    ['POST', QUERY_PATH, 'QUERY'],
    ['PUT', QUERY_PATH, 'QUERY'],
    ['OPTIONS', QUERY_PATH, 'QUERY'],
    ['GET', POST_PATH, 'POST'],
    ['QUERY', POST_PATH, 'POST'],
    ['DELETE', POST_PATH, 'POST'],
    ['QUERY', '/v1/me/recommendations/home', 'GET, HEAD'],
  ])('%s is not allowed on %s, and the answer names the allowed methods', async (method, path, allow) => {
    const response = await edge.get(path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(response.headers.get('accept-query')).toBe(path === QUERY_PATH ? 'application/json' : null);
  });

  test.each([
    '/v1/recommendationsbatch',
    '/v1/recommendations:other',
    '/v1/recommendations/',
    '/v1/recommendations:batch/x',
  ])('there is nothing at %s', async (path) => {
    expect((await edge.get(path, batchOptions('{}'))).status).toBe(404);
  });
});
