// The benchmark's origin speaks the worker's protocol and counts every key.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ListOrigin, startListOrigin } from '../../../bench/rigs/list-origin.ts';
import { parseManifest } from '../../../shared/domain/manifest.ts';
import { LISTS_READ_PATH, MANIFEST_PATH, parseListsRead } from '../../../shared/wire/read-request.ts';
import { decodeListFrames } from '../../../shared/wire/read-response.ts';

let origin: ListOrigin;
beforeAll(async () => {
  origin = await startListOrigin();
});
afterAll(() => origin.stop());

test('its manifest is valid, and not sent again for a matching ETag', async () => {
  const first = await fetch(`${origin.url}${MANIFEST_PATH}`);
  expect(parseManifest(await first.text()).surfaces).toHaveProperty('home');
  const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
  expect((await fetch(`${origin.url}${MANIFEST_PATH}`, { headers })).status).toBe(304);
});

test('every user has a distinct list of 50 items and about 2 KB, and every key is counted', async () => {
  const key = (user: string) => ({ surface: 'home', variant: 'control', generation: Date.UTC(2026, 10, 22), user });
  const body = { keys: parseListsRead({ keys: ['ann', 'bob', 'ann'].map(key) }).queries };
  const response = await fetch(`${origin.url}${LISTS_READ_PATH}`, { method: 'POST', body: JSON.stringify(body) });
  const lists = decodeListFrames(new Uint8Array(await response.arrayBuffer()), 3).map((result) =>
    result.kind === 'list' ? Buffer.from(result.bytes).toString() : '',
  );
  expect(lists[0]).toBe(lists[2]);
  expect(lists[0]).not.toBe(lists[1]);
  expect(JSON.parse(`[${lists[0]}]`)).toHaveLength(50);
  expect(lists[0]?.length).toBeGreaterThan(1_800);
  expect(origin.reads).toBe(3);
});
