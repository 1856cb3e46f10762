import { expect, test } from 'vitest';
import { type Entry, stateOf } from '../../../shared/entry.ts';

const entry: Entry = { value: { kind: 'absent' }, storedAtMs: 0, freshUntilMs: 100, staleUntilMs: 200 };

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
