// Sample ratio mismatch: published values of the distributions, quiet on fair splits, loud on small losses.
import { describe, expect, test } from 'vitest';
import { chiSquaredTail, lnGamma } from '../../../../ops/experiment/distributions.ts';
import { testAlike, testRatio } from '../../../../ops/experiment/ratio-mismatch.ts';
import { createChance } from '../../../support/chance.ts';

test.each([
  [0.5, 0.5723649429247001],
  [1, 0],
  [3.5, 1.2009736023470743],
  [10, 12.801827480081469],
  [1000.25, 5906.947268271117],
])('lnGamma(%d)', (x, value) => expect(lnGamma(x)).toBeCloseTo(value, 9));

// NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.4.
test.each([
  [3.841, 1, 0.05],
  [6.635, 1, 0.01],
  [10.828, 1, 0.001],
  [9.488, 4, 0.05],
  [13.277, 4, 0.01],
  [124.342, 100, 0.05],
  [0.004, 1, 0.95],
])('the tail of chi-squared at %d with %d degrees of freedom is %d', (value, degrees, p) => {
  expect(chiSquaredTail(value, degrees) / p).toBeCloseTo(1, 2);
});

const arms = (...users: number[]) => users.map((count, i) => ({ arm: `a${i}`, share: 1, users: count }));

test.each([
  ['10 % of one arm lost at 12 000', arms(6_000, 5_400), 'alarm'],
  ['2 % of one arm lost at 400 000', arms(200_000, 196_000), 'alarm'],
  ['a deviation below 0.1 %, however sure', arms(50_040_000, 49_960_000), 'warning'],
  ['an equal split', arms(6_000, 6_000), 'ok'],
  ['nobody', arms(0, 0), 'ok'],
  ['one user', arms(1, 0), 'ok'],
  ['chance', arms(6_050, 5_950), 'ok'],
])('%s', (_case, counts, verdict) => expect(testRatio(counts).verdict).toBe(verdict));

test('shares need not be equal', () => {
  const counts = (users: number[]) =>
    users.map((count, i) => ({ arm: `a${i}`, share: [80, 15, 5][i] ?? 0, users: count }));
  expect(testRatio(counts([8_000, 1_500, 500]))).toMatchObject({ verdict: 'ok', deviation: 0 });
  expect(testRatio(counts([8_000, 1_500, 350])).verdict).toBe('alarm');
});

describe('fair splits', () => {
  test('raise hardly an alarm, although somebody looks after every 500 users', () => {
    const chance = createChance(42);
    let alarms = 0;
    const runs = 2_000;
    for (let run = 0; run < runs; run++) {
      const users = [0, 0];
      let isAlarm = false;
      for (let i = 1; i <= 10_000; i++) {
        const arm = chance.is(0.5) ? 0 : 1;
        users[arm] = (users[arm] ?? 0) + 1;
        if (i % 500 === 0) isAlarm ||= testRatio(arms(...users)).verdict === 'alarm';
      }
      if (isAlarm) alarms += 1;
    }
    // At most one in a thousand is allowed: of 2 000 runs, more than 7 have a probability below 0.001.
    expect(alarms).toBeLessThanOrEqual(7);
  });
});

test('shares of fallbacks that differ by arm are found, equal ones are not', () => {
  expect(
    testAlike([
      { all: 2_000, some: 1_600 },
      { all: 2_000, some: 20 },
    ]),
  ).toBeLessThan(1e-10);
  expect(
    testAlike([
      { all: 2_000, some: 20 },
      { all: 2_100, some: 22 },
    ]),
  ).toBeGreaterThan(0.5);
  expect(
    testAlike([
      { all: 0, some: 0 },
      { all: 10, some: 10 },
    ]),
  ).toBe(1);
});
