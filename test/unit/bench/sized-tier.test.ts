// The size of a replayed tier is exact; its hit ratio depends on it.
import { expect, test } from 'vitest';
import { createReadThrough } from '../../../bench/support/read-through.ts';
import { createTierOf, makeTraceKey, TRACE_ENTRY } from '../../../bench/support/sized-tier.ts';

test.each([1, 2, 100, 16_384])('a tier of %i entries holds as many and no more', async (count) => {
  const tier = await createTierOf(count);
  for (let key = 0; key < count; key++) await tier.set(makeTraceKey(key), TRACE_ENTRY);
  for (let key = 0; key < count; key++) expect(await tier.get(makeTraceKey(key))).toBeDefined();
  await tier.set(makeTraceKey(count), TRACE_ENTRY);
  expect(await tier.get(makeTraceKey(0))).toBeUndefined();
  if (count > 1) expect(await tier.get(makeTraceKey(1))).toBeDefined();
});

test('every int32 has a key of its own, of one length', () => {
  const int32s = [0, 1, -1, 0xffff, 0x10000, -0x10000, 2 ** 31 - 1, -(2 ** 31), 0xd800, 0xdc00];
  const keys = int32s.map(makeTraceKey);
  expect(new Set(keys).size).toBe(int32s.length);
  expect(new Set(keys.map((key) => key.length))).toEqual(new Set([2]));
});

test('a read is a miss once and a hit after, until its entry has made room for another', async () => {
  const tier = createReadThrough(await createTierOf(1));
  for (const key of [1, 1, 2, 1]) await tier.read(makeTraceKey(key));
  expect([tier.reads, tier.misses]).toEqual([4, 3]);
});
