import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createVerifiedTokens } from '../../../../shared/caching/verified-tokens.ts';

test('tokens are bounded by the bytes of their text, and the least recently used goes first', () => {
  const tokens = createVerifiedTokens<{ n: number }>(createManualClock(0), 2_000);
  const token = (n: number): string => `${n}`.padEnd(8_192, 'x');
  for (let n = 0; n < 2_000; n++) tokens.set(token(n), { n }, 1_000);
  const kept = Array.from({ length: 2_000 }, (_, n) => n).filter((n) => tokens.get(token(n)) !== undefined);
  expect(kept.length * (8_192 + 1_024)).toBeLessThanOrEqual(4_194_304);
  expect(kept.length).toBeGreaterThan(440);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 2_000 - kept.length + i));
});

test('tokens of usual length are bounded by their number', () => {
  const tokens = createVerifiedTokens<object>(createManualClock(0), 10);
  for (let n = 0; n < 20; n++) tokens.set(`token ${n}`, {}, 1_000);
  expect(Array.from({ length: 20 }, (_, n) => n).filter((n) => tokens.get(`token ${n}`))).toEqual([
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
  ]);
});

test('a token is known until its end, and none is no token', () => {
  const clock = createManualClock(0);
  const tokens = createVerifiedTokens<object>(clock, 10);
  tokens.set('a', {}, 1_000);
  clock.advance(999);
  expect([tokens.get('a'), tokens.get(undefined)]).toEqual([{}, undefined]);
  clock.advance(1);
  expect(tokens.get('a')).toBeUndefined();
});
