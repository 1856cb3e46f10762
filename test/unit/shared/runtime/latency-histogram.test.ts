import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLatencyHistogram } from '../../../../shared/runtime/latency-histogram.ts';

function histogramOf(latencies: Iterable<number>) {
  const histogram = createLatencyHistogram();
  for (const latencyMs of latencies) histogram.observe(latencyMs);
  return histogram;
}

const many = (count: number, latencyMs: number): number[] => Array(count).fill(latencyMs);

describe('a quantile', () => {
  test('is unknown below 100 calls', () => {
    expect(histogramOf(many(99, 10)).quantile(0.95)).toBeUndefined();
    expect(histogramOf(many(100, 10)).quantile(0.95)).toBeDefined();
  });

  test('is at least the exact one, and at most a tenth above it', () => {
    const latency = fc.double({ min: 0.05, max: 100_000, noNaN: true });
    const shares = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(latency, { minLength: 100, maxLength: 1000 }), shares, (latencies, share) => {
        const exact = latencies.toSorted((a, b) => a - b)[Math.ceil(latencies.length * share - 1e-9) - 1] ?? 0;
        const found = histogramOf(latencies).quantile(share) ?? 0;
        expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(found).toBeLessThanOrEqual(exact * 1.1 * (1 + 1e-9));
      }),
    );
  });

  test('is clamped to the smallest or largest bucket', () => {
    expect(histogramOf(many(100, 0)).quantile(0.95)).toBeCloseTo(0.05);
    const largest = histogramOf(many(100, 1e9)).quantile(0.95) ?? 0;
    expect(largest).toBeGreaterThan(100_000);
    expect(largest).toBeLessThan(130_000);
  });

  test('follows a change within some thousands of calls: old latencies fade', () => {
    const histogram = histogramOf(many(50_000, 10));
    for (const latencyMs of many(10_000, 100)) histogram.observe(latencyMs);
    expect(histogram.quantile(0.5)).toBeGreaterThan(99);
    expect(histogram.quantile(0.05)).toBeGreaterThan(99);
  });

  test('stays known for good once it is', () => {
    const histogram = createLatencyHistogram();
    for (let i = 1; i <= 20_000; i++) {
      histogram.observe(10);
      expect(histogram.quantile(0.95) !== undefined).toBe(i >= 100);
    }
  });
});
