import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutList, encodeItem, ITEM_SEPARATOR, MAX_ITEMS } from '../../../../shared/domain/list.ts';
import { decodeUtf8, encodeUtf8 } from '../../../../shared/runtime/bytes.ts';

const makeList = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => encodeItem(`track:${i}`, `0.${i}`));
const store = (items: readonly string[]): Uint8Array => encodeUtf8(items.join(ITEM_SEPARATOR));
const serve = (list: Uint8Array, limit: number): unknown => JSON.parse(`[${decodeUtf8(cutList(list, limit))}]`);

describe('cutList', () => {
  test('gives the first items of any list, for any limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_ITEMS }), fc.integer({ min: 1, max: MAX_ITEMS }), (count, limit) => {
        const items = makeList(count);
        expect(serve(store(items), limit)).toEqual(items.slice(0, limit).map((item) => JSON.parse(item)));
      }),
    );
  });

  test('gives the first items of a long list, which has metadata, again and for any limit', () => {
    const items = Array.from({ length: MAX_ITEMS }, (_, i) => `{"id":"a${i}","metadata":{"t":"${'x'.repeat(300)}"}}`);
    const list = store(items);
    for (const limit of [1, 2, 49, 50, 51, 99, 100, 100, 1, 50])
      expect(serve(list, limit)).toEqual(items.slice(0, limit).map((item) => JSON.parse(item)));
    expect(cutList(list, 100)).toBe(list);
  });

  test('takes no longer for a hundred reads of one long list than for a few', () => {
    const list = store(Array.from({ length: MAX_ITEMS }, () => `{"id":"a","metadata":{"t":"${'x'.repeat(16_000)}"}}`));
    const startedAtMs = performance.now();
    for (let i = 0; i < 10_000; i++) cutList(list, 1 + (i % MAX_ITEMS));
    // A scan each would be 8 GB of bytes.
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  test('copies nothing', () => {
    const list = store(makeList(10));
    expect(cutList(list, 3).buffer).toBe(list.buffer);
    expect(cutList(list, 10)).toBe(list);
  });

  test('keeps a score as it was written', () => {
    expect(decodeUtf8(cutList(store([encodeItem('a', '1.0'), encodeItem('b', '1e-3')]), 1))).toBe(
      '{"id":"a","score":1.0}',
    );
  });
});
