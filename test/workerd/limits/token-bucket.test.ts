import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { addressKeyOf } from '../../../edge/limits/address.ts';
import { costOf, costOfBytes } from '../../../edge/limits/read-cost.ts';
import { createTokenBuckets } from '../../../edge/limits/token-bucket.ts';

const LIMIT = { perSecond: 10, burst: 20 };

describe('a token bucket', () => {
  test('admits its burst, then its rate: over 100 s within 1 % of it', () => {
    const clock = createManualClock();
    const buckets = createTokenBuckets(clock);
    let admitted = 0;
    for (let ms = 0; ms < 100_000; ms++) {
      for (let i = 0; i < 3; i++) if (buckets.tryTake('a', 1, LIMIT) === 0) admitted++;
      clock.advance(1);
    }
    expect(admitted).toBeGreaterThanOrEqual(1_010);
    expect(admitted).toBeLessThanOrEqual(1_021);
  });

  test('of one key does not touch another, and tells when it has enough', () => {
    const clock = createManualClock();
    const buckets = createTokenBuckets(clock);
    expect(buckets.tryTake('a', 20, LIMIT)).toBe(0);
    expect(buckets.tryTake('a', 5, LIMIT)).toBe(500);
    expect(buckets.tryTake('b', 5, LIMIT)).toBe(0);
    clock.advance(500);
    expect([buckets.balance('a', LIMIT), buckets.tryTake('a', 5, LIMIT)]).toEqual([5, 0]);
  });

  test('lets a request above its burst pass when it is full, and the debt is paid first', () => {
    const clock = createManualClock();
    const buckets = createTokenBuckets(clock);
    expect(buckets.tryTake('a', 100, LIMIT)).toBe(0);
    expect(buckets.tryTake('a', 1, LIMIT)).toBe(8_100);
    clock.advance(8_100);
    expect(buckets.tryTake('a', 1, LIMIT)).toBe(0);
  });

  test('has a debt of at most its burst for work that is done', () => {
    const clock = createManualClock();
    const buckets = createTokenBuckets(clock);
    buckets.take('a', 1_000_000, LIMIT);
    clock.advance(2_100);
    expect(buckets.tryTake('a', 1, LIMIT)).toBe(0);
  });

  test('keeps a bounded number of keys', () => {
    const buckets = createTokenBuckets(createManualClock());
    for (let i = 0; i < 20_000; i++) buckets.tryTake(`key-${i}`, 20, LIMIT);
    expect([buckets.balance('key-19999', LIMIT), buckets.balance('key-0', LIMIT)]).toEqual([0, 20]);
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:ffff::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.2', '192.0.2.2'],
  ['', undefined],
  ['evil host', undefined],
  ['1'.repeat(46), undefined],
  [null, undefined],
])('the address %j has the key %j', (header, key) => {
  expect(addressKeyOf(header)).toBe(key);
});

test('expanded reads and large answers cost more', () => {
  expect(costOf([{}, { expand: 'items' }, {}])).toBe(7);
  expect([costOfBytes(4_000, 1), costOfBytes(1_600_000, 5), costOfBytes(16_385, 1)]).toEqual([0, 93, 1]);
});
