import { expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../../bench/support/manual-clock.ts';
import { createServiceRate, type ServiceRate } from '../../../../origin/guard/service-rate.ts';

/** Keys completed per ms while reads wait. */
function queue(clock: ManualClock, rate: ServiceRate, forMs: number, perMs: number): void {
  rate.setQueueing(true);
  for (let ms = 0; ms < forMs; ms++) {
    clock.advance(1);
    rate.recordDone(perMs);
  }
  rate.setQueueing(false);
}

test('is first known after 25 ms of queueing, and what is done without a queue says nothing', () => {
  const clock = createManualClock();
  const rate = createServiceRate(clock);
  rate.recordDone(1000);
  queue(clock, rate, 24, 10);
  expect(rate.msFor(100)).toBe(0);
  expect(rate.isFresh()).toBe(false);
  queue(clock, rate, 1, 10);
  expect(rate.msFor(100)).toBe(10);
  expect(rate.isFresh()).toBe(true);
});

test('follows what is measured, by 0.3 every 50 ms of queueing', () => {
  const clock = createManualClock();
  const rate = createServiceRate(clock);
  queue(clock, rate, 25, 10);
  queue(clock, rate, 49, 20);
  expect(rate.msFor(130)).toBe(13);
  queue(clock, rate, 1, 20);
  expect(rate.msFor(130)).toBeCloseTo(10);
});

test('is not forgotten, and after 5 s the next measurement counts alone', () => {
  const clock = createManualClock();
  const rate = createServiceRate(clock);
  queue(clock, rate, 25, 10);
  clock.advance(5001);
  expect(rate.isFresh()).toBe(false);
  expect(rate.msFor(100)).toBe(10);
  queue(clock, rate, 50, 1);
  expect(rate.msFor(100)).toBe(100);
  expect(rate.isFresh()).toBe(true);
});
