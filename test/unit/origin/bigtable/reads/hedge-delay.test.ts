import { expect, test } from 'vitest';
import { createHedgeDelay } from '../../../../../origin/bigtable/reads/hedge-delay.ts';

/** 100 calls of `keys` keys that took 10, 20, ... 1000 ms. */
function measured(keys = 1) {
  const delay = createHedgeDelay();
  for (let i = 1; i <= 100; i++) delay.observe(keys, i * 10);
  return delay;
}

const within10Percent = (found: number, exact: number) => {
  expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
  expect(found).toBeLessThanOrEqual(exact * 1.1 * (1 + 1e-9));
};

test('with the whole budget there, it is the time in which 95 of 100 calls end', () => {
  within10Percent(measured().delayMs(1, 1), 950);
});

test('with the budget spent, it is the time in which 99 of 100 do, and in between in between', () => {
  within10Percent(measured().delayMs(1, 0), 990);
  within10Percent(measured().delayMs(1, 0.5), 970);
});

test('before anything was measured it is 50 ms, and said not to be measured', () => {
  const delay = createHedgeDelay();
  expect([delay.isMeasured(1), delay.delayMs(1, 1)]).toEqual([false, 50]);
});

test('is never below 2 ms, however fast calls are', () => {
  const delay = createHedgeDelay();
  for (let i = 0; i < 100; i++) delay.observe(1, 0.1);
  expect([delay.isMeasured(1), delay.delayMs(1, 1)]).toEqual([true, 2]);
});

test.each([
  { keys: 1, comparedWith: 1 },
  { keys: 3, comparedWith: 4 },
  { keys: 4, comparedWith: 4 },
  { keys: 5, comparedWith: 16 },
  { keys: 51, comparedWith: 100 },
])('calls of $keys keys are compared with those of $comparedWith, and not with much smaller or larger ones', (each) => {
  const delay = createHedgeDelay();
  for (const [ms, keys] of [1, 4, 16, 50, 100].entries())
    for (let i = 0; i < 100; i++) delay.observe(keys, 10 * (ms + 1));
  within10Percent(delay.delayMs(each.keys, 1), 10 * (1 + [1, 4, 16, 50, 100].indexOf(each.comparedWith)));
});

test('as long as there were too few of a size, those of the next larger one stand in, else of the next smaller', () => {
  const delay = createHedgeDelay();
  for (let i = 0; i < 100; i++) {
    delay.observe(4, 40);
    delay.observe(50, 500);
  }
  within10Percent(delay.delayMs(1, 1), 40);
  within10Percent(delay.delayMs(16, 1), 500);
  within10Percent(delay.delayMs(100, 1), 500);
});
