import { describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../../bench/support/manual-clock.ts';
import {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  createConcurrencyLimit,
  type ReadSample,
} from '../../../../origin/guard/concurrency-limit.ts';

const KEYS_PER_MS = 15;
const BASE_MS = 5;

interface Loop {
  readonly clock: ManualClock;
  readonly limit: ConcurrencyLimit;
  /**
   * Sequential reads with `inFlight` keys in flight. The default latency is that of a server with a queue.
   */
  drive(forMs: number, options: Drive): void;
}

interface Drive {
  readonly inFlight: number | 'limit';
  readonly weight?: number;
  readonly latencyMs?: number;
  readonly baseMs?: number;
  readonly outcome?: ReadSample['outcome'];
  readonly refusedShare?: number;
}

function setUp(options: Partial<ConcurrencyLimitOptions> = {}): Loop {
  const clock = createManualClock();
  const limit = createConcurrencyLimit({ clock, initialLimit: 400, ...options });
  const drive: Loop['drive'] = (forMs, options) => {
    const { inFlight, weight = 10, latencyMs, baseMs = BASE_MS, outcome = 'ok', refusedShare = 0 } = options;
    const untilMs = clock.now() + forMs;
    while (clock.now() < untilMs) {
      const keys = inFlight === 'limit' ? limit.limit() : inFlight;
      const tookMs = latencyMs ?? baseMs + Math.max(weight, keys) / KEYS_PER_MS;
      limit.observe({ latencyMs: tookMs, weight, inFlight: Math.max(keys, weight), outcome, refusedShare });
      clock.advance(Math.max(1, weight / KEYS_PER_MS));
    }
  };
  return { clock, limit, drive };
}

/** A probe admits an eighth of the limit. Latency halves the limit at most. */
function overloadUntilProbe({ limit, drive }: Loop): void {
  for (let before = limit.limit(); limit.limit() > before / 4; drive(10, { inFlight: 400 })) before = limit.limit();
}

describe('the concurrency limit', () => {
  test('grows while latency stays near the baseline and all of it is used', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    drive(1000, { inFlight: 'limit', latencyMs: BASE_MS + 1 });
    expect(limit.limit()).toBeGreaterThan(600);
  });

  test('does not grow while it is not used, however long, and sinks back to where it began', () => {
    const { limit, drive } = setUp();
    drive(60_000, { inFlight: 10 });
    expect(limit.limit()).toBe(400);
    drive(2000, { inFlight: 'limit', latencyMs: BASE_MS + 1 });
    expect(limit.limit()).toBeGreaterThan(1000);
    drive(60_000, { inFlight: 10 });
    expect(limit.limit()).toBe(400);
  });

  test('shrinks the more, the more latency exceeds what is tolerated', () => {
    const limitAfter = (times: number): number => {
      const { limit, drive } = setUp({ initialLimit: 1000 });
      drive(1000, { inFlight: 10 });
      drive(120, { inFlight: 'limit', latencyMs: times * (BASE_MS + 10 / KEYS_PER_MS) });
      return limit.limit();
    };
    expect(limitAfter(1.9)).toBeGreaterThanOrEqual(1000);
    expect(limitAfter(2.6)).toBeLessThan(950);
    expect(limitAfter(4)).toBeLessThan(0.8 * limitAfter(2.6));
  });

  test('tolerates less latency, the more is refused', () => {
    const limitAfter = (refusedShare: number): number => {
      const { limit, drive } = setUp({ initialLimit: 1000 });
      drive(1000, { inFlight: 10 });
      drive(300, { inFlight: 'limit', latencyMs: 1.9 * (BASE_MS + 10 / KEYS_PER_MS), refusedShare });
      return limit.limit();
    };
    expect(limitAfter(0)).toBeGreaterThanOrEqual(1000);
    expect(limitAfter(0.3)).toBeLessThan(950);
    expect(limitAfter(0.4)).toBeLessThan(limitAfter(0.3));
    expect(limitAfter(0.9)).toBe(limitAfter(0.4));
  });

  test('takes what ran out of time for congestion from what is tolerated on: in overload sooner', () => {
    const limitAfter = (refusedShare: number): number => {
      const { limit, drive } = setUp({ initialLimit: 1000 });
      drive(1000, { inFlight: 10 });
      const latencyMs = 1.7 * (BASE_MS + 10 / KEYS_PER_MS);
      drive(300, { inFlight: 'limit', latencyMs, outcome: 'deadline', refusedShare });
      return limit.limit();
    };
    expect(limitAfter(0)).toBe(1000);
    expect(limitAfter(0.5)).toBeLessThan(950);
  });

  test('keeps within its bounds', () => {
    const { limit, drive } = setUp({ minLimit: 100, maxLimit: 700 });
    drive(1000, { inFlight: 10 });
    drive(10_000, { inFlight: 'limit', latencyMs: BASE_MS });
    expect(limit.limit()).toBe(700);
    // After the probe, which measures nothing while every read exceeds its deadline.
    drive(5000, { inFlight: 'limit', latencyMs: 500, outcome: 'deadline' });
    expect(limit.limit()).toBe(100);
  });

  test('does not take a table that hangs for one that is slower', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    drive(60_000, { inFlight: 'limit', latencyMs: 2000, outcome: 'deadline' });
    expect(limit.limit()).toBeLessThanOrEqual(200);
    drive(1000, { inFlight: 10 });
    expect(limit.expectMs(10)).toBeLessThan(7);
  });

  test('compares a read with reads of its own weight', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 1, weight: 1, latencyMs: 5 });
    drive(3000, { inFlight: 200, weight: 200, latencyMs: 18 });
    expect(limit.expectMs(1)).toBeLessThan(7);
    expect(limit.expectMs(200)).toBeGreaterThan(15);
    const before = limit.limit();
    // 18 ms is more than 3 times too long for one key, and normal for 200.
    drive(2000, { inFlight: 'limit', weight: 200, latencyMs: 18 });
    expect(limit.limit()).toBeGreaterThan(before);
  });

  test('takes reads that ran out of time for congestion, and no other failure', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    drive(2000, { inFlight: 'limit', latencyMs: 1000, outcome: 'failed' });
    drive(2000, { inFlight: 'limit', latencyMs: 1, outcome: 'failed' });
    expect(limit.limit()).toBe(400);
    // Cancelled before the tolerated latency: its deadline was short.
    drive(2000, { inFlight: 'limit', latencyMs: BASE_MS, outcome: 'deadline' });
    expect(limit.limit()).toBe(400);
    drive(300, { inFlight: 'limit', latencyMs: 100, outcome: 'deadline' });
    expect(limit.limit()).toBeLessThan(300);
  });

  test('is not moved by one read that took ages', () => {
    const { limit, drive, clock } = setUp();
    drive(1000, { inFlight: 10 });
    limit.observe({ latencyMs: 60_000, weight: 10, inFlight: 300, outcome: 'ok', refusedShare: 0 });
    for (let i = 0; i < 60; i++) {
      limit.observe({ latencyMs: BASE_MS, weight: 10, inFlight: 300, outcome: 'ok', refusedShare: 0 });
      clock.advance(5);
    }
    expect(limit.limit()).toBeGreaterThanOrEqual(400);
  });

  test('settles at about twice what keeps the server busy', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    drive(20_000, { inFlight: 'limit' });
    const latencyMs = BASE_MS + limit.limit() / KEYS_PER_MS;
    expect(latencyMs / (BASE_MS + 10 / KEYS_PER_MS)).toBeGreaterThan(1.8);
    expect(limit.limit()).toBeLessThan(300);
  });

  test('stays there through an hour without a moment that is not overloaded', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    let most = 0;
    for (let minute = 0; minute < 60; minute++) {
      drive(60_000, { inFlight: 'limit' });
      most = Math.max(most, limit.limit());
    }
    expect(most).toBeLessThan(300);
    expect(limit.expectMs(10)).toBeLessThan(25);
  });

  test('recovers from a baseline that was learned too high, as by a process that starts in overload', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10, latencyMs: 40 });
    drive(40_000, { inFlight: 'limit' });
    expect(limit.limit()).toBeLessThan(400);
  });

  test('asks a table that got 5 times as slow for as much as before, within 2 s', () => {
    const { limit, drive } = setUp();
    drive(1000, { inFlight: 10 });
    drive(1000, { inFlight: 'limit', latencyMs: 8 });
    const before = limit.limit();
    drive(2000, { inFlight: 'limit', latencyMs: 28 });
    expect(limit.limit()).toBeGreaterThan(before);
  });

  test('makes no probe at the first moment of an overload: what has queued up then would wait for its end', () => {
    const loop = setUp();
    loop.drive(11_000, { inFlight: 10 });
    const startedAtMs = loop.clock.now();
    overloadUntilProbe(loop);
    expect(loop.clock.now() - startedAtMs).toBeGreaterThanOrEqual(300);
    expect(loop.clock.now() - startedAtMs).toBeLessThan(1000);
  });

  test('makes no probe as long as latency is near the baseline: nothing is held back to measure', () => {
    const { limit, drive } = setUp({ maxLimit: 600 });
    drive(1000, { inFlight: 10 });
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 6000; i++) {
      drive(10, { inFlight: 'limit', latencyMs: 1.8 * BASE_MS });
      least = Math.min(least, limit.limit());
    }
    expect(least).toBeGreaterThanOrEqual(400);
  });
});
