// Numbers of users by Zipf's law: user 0 is read most.
import { systemRandom } from '../../shared/runtime/random.ts';

const EXPONENT = 0.99;

/** Returns a function that draws from 0 to `count - 1`. */
export function createZipf(count: number): () => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1) ** EXPONENT;
    cumulated[i] = sum;
  }
  return () => {
    const wanted = systemRandom() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
