// Latency of the reads of a time window over their baseline, weighted by keys: a key of a heavy read counts as much as
// a single key.

export interface LatencyWindow {
  readonly sinceMs: number;
  samples: number;
  /** Latency times keys. */
  took: number;
  /** Baseline times keys. */
  expected: number;
  /** Maximum number of keys in flight. */
  peak: number;
}

/** A window ends after a long time with few samples, or after a short time with many. */
const WINDOW = { longMs: 100, fewSamples: 10, shortMs: 50, manySamples: 100 };
/** Maximum ratio of latency to baseline that counts, so that one slow read does not decide the window. */
const MAX_RATIO = 16;

export const startWindow = (nowMs: number): LatencyWindow => ({
  sinceMs: nowMs,
  samples: 0,
  took: 0,
  expected: 0,
  peak: 0,
});

export function addSample(window: LatencyWindow, weight: number, latencyMs: number, expectedMs: number): void {
  window.samples++;
  window.took += weight * Math.min(latencyMs, MAX_RATIO * expectedMs);
  window.expected += weight * expectedMs;
}

export function isWindowOver({ sinceMs, samples }: LatencyWindow, nowMs: number): boolean {
  const ageMs = nowMs - sinceMs;
  const isLong = ageMs >= WINDOW.longMs && samples >= WINDOW.fewSamples;
  return isLong || (ageMs >= WINDOW.shortMs && samples >= WINDOW.manySamples);
}

/** Latency over baseline: 1 without congestion. */
export const congestionOf = ({ took, expected }: LatencyWindow): number => took / expected;
