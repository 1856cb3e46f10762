import { expect, test } from 'vitest';
import { type Entry, ownBytes, stateOf, withinRevalidation } from '../../../../shared/caching/entry.ts';

const entry: Entry = {
  value: { kind: 'absent' },
  storedAtMs: 0,
  loadMs: 0,
  freshUntilMs: 100,
  revalidateUntilMs: 150,
  staleUntilMs: 200,
};

test.each([
  [0, 'fresh'],
  [99, 'fresh'],
  [100, 'stale'],
  [199, 'stale'],
  [200, 'expired'],
  [1000, 'expired'],
])('at %i ms an entry is %s', (nowMs, state) => {
  expect(stateOf(entry, nowMs)).toBe(state);
});

test('a stale entry may be served before its refresh until 150 ms', () => {
  expect([100, 149, 150, 199].map((nowMs) => withinRevalidation(entry, nowMs))).toEqual([true, true, false, false]);
});

test('a list that is a part of a larger buffer is given memory of its own, and others are left as they are', () => {
  const list = (bytes: Uint8Array) => ({ kind: 'list', bytes, generation: 1, digest: 'd' }) as const;
  const part = list(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
  const owned = ownBytes(part);
  expect(owned).toEqual(list(new Uint8Array([2, 3])));
  expect(owned.kind === 'list' && owned.bytes.buffer.byteLength).toBe(2);
  const whole = list(new Uint8Array([1]));
  expect(ownBytes(whole)).toBe(whole);
});
