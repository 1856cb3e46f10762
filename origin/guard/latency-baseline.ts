// What reads take when nothing is in their way, by weight: a read of one key and one of 200 are never compared. It learns only from samples
// that the caller vouches for as uncongested, so that latency that the process makes itself does not become its own norm.

export interface Baseline {
  /** ms that a read of `weight` keys takes uncongested, or undefined as long as there were too few of its class. */
  expectMs(weight: number): number | undefined;
  /** A read that nothing was in the way of. */
  learn(weight: number, latencyMs: number): void;
  /** Everything takes `factor` times as long as before: for classes that were not measured as well. */
  scale(factor: number): void;
}

/** Samples of a class before it counts, and about how many the mean reaches back from then on. */
const MIN_SAMPLES = 4;
const MEMORY_SAMPLES = 32;
const CLASSES = 32;

export function createBaseline(): Baseline {
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

/** Classes by powers of two: 1, 2 to 3, 4 to 7, and so on to 128 to 255. */
const classOf = (weight: number): number => 31 - Math.clz32(Math.max(1, weight));
