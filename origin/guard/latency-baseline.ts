// Latency of uncongested reads, by weight class: a read of one key is never compared with one of 200. It learns only
// from samples that the caller knows to be uncongested, so that an overload never becomes the norm.

export interface LatencyBaseline {
  /** Milliseconds that an uncongested read of `weight` keys takes. Undefined with too few samples of its class. */
  expectMs(weight: number): number | undefined;
  /** Adds an uncongested read. */
  learn(weight: number, latencyMs: number): void;
  /** Multiplies all classes, also those without a new sample. */
  scale(factor: number): void;
}

/** Samples of a class before it counts. */
const MIN_SAMPLES = 4;
/** Approximate number of samples in the moving mean. */
const MEMORY_SAMPLES = 32;
const CLASSES = 32;

export function createLatencyBaseline(): LatencyBaseline {
  const means = new Array<number>(CLASSES).fill(0);
  const counts = new Array<number>(CLASSES).fill(0);
  return {
    expectMs: (weight) => {
      const index = classOf(weight);
      return (counts[index] ?? 0) < MIN_SAMPLES ? undefined : means[index];
    },
    learn: (weight, latencyMs) => {
      const index = classOf(weight);
      const count = Math.min(MEMORY_SAMPLES, (counts[index] ?? 0) + 1);
      const mean = means[index] ?? 0;
      counts[index] = count;
      means[index] = mean + (latencyMs - mean) / count;
    },
    scale: (factor) => {
      for (const [index, mean] of means.entries()) means[index] = mean * factor;
    },
  };
}

/** Classes by powers of two: 1, 2 to 3, 4 to 7, ... 128 to 255. */
const classOf = (weight: number): number => 31 - Math.clz32(Math.max(1, weight));
