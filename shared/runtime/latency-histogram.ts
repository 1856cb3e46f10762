// A histogram of recent latencies: buckets that grow by a tenth, with all counts halved at intervals so that old ones
// fade.
export interface LatencyHistogram {
  observe(latencyMs: number): void;
  /** Latency that the given share (0 to 1) of calls stays within, to a tenth. Undefined before enough samples. */
  quantile(share: number): number | undefined;
}

const SMALLEST_MS = 0.05;
const GROWTH = 1.1;
/** Up to 120 seconds. */
const BUCKETS = 155;
/** With fewer samples a p95 is noise. */
const MIN_SAMPLES = 100;
/** All counts are halved after this many samples. */
const HALF_LIFE_SAMPLES = 2_000;

export function createLatencyHistogram(): LatencyHistogram {
  const counts = new Float64Array(BUCKETS);
  let total = 0;
  let untilHalved = HALF_LIFE_SAMPLES;

  return {
    observe: (latencyMs) => {
      // Slightly less, so the upper end of a bucket is in it however the logarithm rounds.
      const bucket = Math.ceil(Math.log(Math.max(latencyMs, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH) - 1e-9);
      const at = Math.min(Math.max(0, bucket), BUCKETS - 1);
      counts[at] = (counts[at] ?? 0) + 1;
      total++;
      if (--untilHalved > 0) return;
      untilHalved = HALF_LIFE_SAMPLES;
      for (let i = 0; i < BUCKETS; i++) counts[i] = (counts[i] ?? 0) / 2;
      total /= 2;
    },
    quantile: (share) => {
      if (total < MIN_SAMPLES) return undefined;
      let left = total * share;
      for (let i = 0; i < BUCKETS; i++) {
        left -= counts[i] ?? 0;
        // Zero, apart from rounding.
        if (left <= total * 1e-9) return SMALLEST_MS * GROWTH ** i;
      }
      return SMALLEST_MS * GROWTH ** (BUCKETS - 1);
    },
  };
}
