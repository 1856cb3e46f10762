import { expect, test } from 'vitest';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import type { CacheKey } from '../../../../shared/domain/keys.ts';
import type { ListValue } from '../../../../shared/domain/list.ts';

const list = (text: string): Extract<ListValue, { kind: 'list' }> => ({
  kind: 'list',
  bytes: Buffer.from(text),
  generation: 1,
  digest: 'd',
});
/** A memory does not look into its keys. */
const keyOf = (text: string): CacheKey => text as CacheKey;
const absent = { kind: 'absent' } as const;

test('gives back what was set, with when it was read', () => {
  const memory = createListMemory(10_000);
  memory.set(keyOf('k'), { value: list('mine'), storedAtMs: 7 });
  memory.set(keyOf('none'), { value: absent, storedAtMs: 8 });
  expect(memory.get(keyOf('k'))).toEqual({
    value: { ...list('mine'), bytes: Buffer.from('mine') },
    storedAtMs: 7,
  });
  expect(memory.get(keyOf('none'))).toEqual({ value: absent, storedAtMs: 8 });
  expect(memory.get(keyOf('other'))).toBeUndefined();
});

test('keeps what was read later, in whichever order it comes', () => {
  const memory = createListMemory(10_000);
  memory.set(keyOf('k'), { value: list('new'), storedAtMs: 2 });
  memory.set(keyOf('k'), { value: list('old'), storedAtMs: 1 });
  expect(memory.get(keyOf('k'))?.storedAtMs).toBe(2);
  memory.set(keyOf('k'), { value: absent, storedAtMs: 3 });
  expect(memory.get(keyOf('k'))).toEqual({ value: absent, storedAtMs: 3 });
});

test('holds a copy of the bytes, not the message that they came in', () => {
  const memory = createListMemory(10_000);
  const message = Buffer.alloc(100_000, 'x');
  memory.set(keyOf('k'), { value: { ...list(''), bytes: message.subarray(10, 14) }, storedAtMs: 1 });
  message.fill('y');
  const { value } = memory.get(keyOf('k')) ?? { value: absent };
  expect(value.kind === 'list' && [Buffer.from(value.bytes).toString(), value.bytes.buffer.byteLength]).toEqual([
    'xxxx',
    4,
  ]);
});

test('counts keys, bytes and bookkeeping, and lets go of what was not read for longest rather than exceed its bound', () => {
  const memory = createListMemory(4_000);
  const value = list('x'.repeat(360));
  for (const key of ['a', 'b', 'c']) memory.set(keyOf(key), { value, storedAtMs: 1 });
  expect([memory.entries, memory.bytes]).toEqual([3, 3 * (640 + 1 + 360)]);
  memory.get(keyOf('a'));
  memory.set(keyOf('d'), { value, storedAtMs: 1 });
  expect(['a', 'b', 'c', 'd'].map((key) => memory.get(keyOf(key)) !== undefined)).toEqual([true, false, true, true]);
  expect(memory.bytes).toBeLessThanOrEqual(4_000);
});

test('does not hold a list that is larger than all of it, nor the older one instead', () => {
  const memory = createListMemory(2_000);
  memory.set(keyOf('k'), { value: list('small'), storedAtMs: 1 });
  memory.set(keyOf('k'), { value: list('x'.repeat(3_000)), storedAtMs: 2 });
  expect([memory.get(keyOf('k')), memory.entries, memory.bytes]).toEqual([undefined, 0, 0]);
});

test('of 0 bytes holds nothing', () => {
  const memory = createListMemory(0);
  memory.set(keyOf('k'), { value: absent, storedAtMs: 1 });
  expect([memory.get(keyOf('k')), memory.entries]).toEqual([undefined, 0]);
});
