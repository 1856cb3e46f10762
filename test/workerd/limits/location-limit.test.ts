import { env } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { createLocationLimit, type RateLimiter } from '../../../edge/limits/location-limit.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import type { EarshotError } from '../../../shared/wire/errors.ts';

const outcomeOf = (asked: Promise<void>): Promise<string> =>
  asked.then(
    () => 'admitted',
    (error) => (error as EarshotError).code,
  );

test('the real binding admits 50 requests of a caller in its period, and denies the others', async () => {
  let counters = createCounters();
  const { RATE_LIMITER: limiter } = env as unknown as { RATE_LIMITER: RateLimiter };
  const PERIOD_MS = 10_000;
  const windowNow = (): number => Math.floor(systemClock.now() / PERIOD_MS);
  let outcomes: string[] = [];
  // Requests on both sides of the end of a period count in two.
  for (let window = -1, i = 0; window !== windowNow(); i++) {
    outcomes = [];
    counters = createCounters();
    window = windowNow();
    const ask = createLocationLimit({ limiter, clock: systemClock, counters });
    for (let n = 0; n < 60; n++) outcomes.push(await outcomeOf(ask(`ann${i}`)));
  }
  expect([...outcomes.slice(0, 50)]).toEqual(Array(50).fill('admitted'));
  expect(outcomes.slice(50)).toEqual(Array(10).fill('rate_limited'));
  const other = createLocationLimit({ limiter, clock: systemClock, counters });
  expect(await outcomeOf(other('bob'))).toBe('admitted');
  expect([counters.get('edge_limited_locations_total'), counters.get('edge_limiter_errors_total')]).toEqual([10, 0]);
});

test('a binding that throws or hangs admits the request, and is counted', async () => {
  const counters = createCounters();
  const clock = createManualClock();
  const broken: RateLimiter = { limit: async () => Promise.reject(new Error('broken')) };
  expect(await outcomeOf(createLocationLimit({ limiter: broken, clock, counters })('ann'))).toBe('admitted');
  const hanging: RateLimiter = { limit: () => new Promise(() => {}) };
  const asked = outcomeOf(createLocationLimit({ limiter: hanging, clock, counters })('ann'));
  clock.advance(50);
  expect(await asked).toBe('admitted');
  expect(counters.get('edge_limiter_errors_total')).toBe(2);
});

test('without the binding every request is admitted', async () => {
  const counters = createCounters();
  const ask = createLocationLimit({ limiter: undefined, clock: systemClock, counters });
  expect(await outcomeOf(ask('ann'))).toBe('admitted');
});
