// The pace of a load: what lowers it, what lets it rise, and its bounds.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createWriteThrottle } from '../../../../ops/bigtable/writes/write-throttle.ts';

const ROWS = 1_000;
const FAST = { rows: ROWS, tookMs: 100, isRefused: false };

/** A throttle whose cluster answers 1 000 rows every 100 ms. */
function start(maxRowsPerSecond?: number) {
  const clock = createManualClock();
  const throttle = createWriteThrottle({ clock, maxRowsPerSecond });
  const report = (batch: Partial<Parameters<typeof throttle.report>[0]> = {}, times = 1): void => {
    for (let i = 0; i < times; i++) {
      clock.advance(100);
      throttle.report({ ...FAST, ...batch });
    }
  };
  report({}, 20);
  return { clock, report, throttle };
}

describe('without a sign of load', () => {
  test('nothing is held back', async () => {
    const { throttle } = start();
    expect(throttle.rate()).toBe(Number.POSITIVE_INFINITY);
    await throttle.admit(1_000_000);
    await throttle.admit(1_000_000);
  });

  test('a bound holds from the first batch', async () => {
    const { clock, throttle } = start(2_000);
    await throttle.admit(ROWS);
    let isAdmitted = false;
    const second = throttle.admit(ROWS).then(() => {
      isAdmitted = true;
    });
    clock.advance(499);
    await Promise.resolve();
    expect(isAdmitted).toBe(false);
    clock.advance(1);
    await second;
  });
});

describe('the rate falls', () => {
  test.each<[string, object]>([
    ['for a refusal', { isRefused: true }],
    ['for a second of batches of four times the time', { tookMs: 400 }],
    ["by the server's factor", { factor: 0.7 }],
    ["by the server's factor, within its bounds", { factor: 0.01 }],
  ])('%s to seven tenths of what was measured', (_case, batch) => {
    const { report, throttle } = start();
    report(batch, 10);
    expect(throttle.rate()).toBeGreaterThan(0.6 * 10_000);
    expect(throttle.rate()).toBeLessThan(0.75 * 10_000);
  });

  test('to what was measured since the last pause, in which nothing was written', async () => {
    const { clock, report, throttle } = start();
    report({}, 10);
    clock.advance(600_000);
    await throttle.admit(ROWS);
    report({ isRefused: true }, 10);
    expect(throttle.rate()).toBeGreaterThan(0.6 * 10_000);
  });

  test('at most once a second, and never below 100 rows a second', () => {
    const { clock, report, throttle } = start();
    report({ isRefused: true }, 10);
    const once = throttle.rate();
    report({ isRefused: true }, 5);
    expect(throttle.rate()).toBe(once);
    for (let i = 0; i < 60; i++) {
      clock.advance(1_000);
      throttle.report({ rows: 10, tookMs: 5, isRefused: true });
    }
    expect(throttle.rate()).toBe(100);
  });

  test.each<[string, object, number]>([
    ['one slow batch among others', { tookMs: 900 }, 1],
    ['batches of twice the time', { tookMs: 200 }, 10],
    ['short batches of few rows', { rows: 10, tookMs: 50 }, 10],
  ])('not for %s', (_case, batch, times) => {
    const { report, throttle } = start();
    report(batch, times);
    report({}, 20);
    expect(throttle.rate()).toBe(Number.POSITIVE_INFINITY);
  });

  test('not for the latency that the load makes from its start', () => {
    const clock = createManualClock();
    const throttle = createWriteThrottle({ clock });
    for (let i = 0; i < 100; i++) {
      clock.advance(100);
      throttle.report({ rows: ROWS, tookMs: i < 4 ? 20 : 400, isRefused: false });
    }
    expect(throttle.rate()).toBe(Number.POSITIVE_INFINITY);
  });
});

test('it rises again by a quarter a second, and holds nothing back once it is twice of what the load needs', () => {
  const { report, throttle } = start();
  report({ isRefused: true }, 10);
  const fallen = throttle.rate();
  report({}, 10);
  expect(throttle.rate() / fallen).toBeCloseTo(1.25, 1);
  for (let i = 0; i < 20 && Number.isFinite(throttle.rate()); i++) report({}, 10);
  expect(throttle.rate()).toBe(Number.POSITIVE_INFINITY);
});

test("the server's factor decides against what the latency says", () => {
  const { report, throttle } = start();
  report({ isRefused: true }, 10);
  const fallen = throttle.rate();
  report({ tookMs: 5_000, factor: 1.3 }, 10);
  expect(throttle.rate()).toBeGreaterThan(fallen);
});
