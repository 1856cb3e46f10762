// Delay before a call is hedged: the time in which 95 of 100 such calls end. When the budget runs low the delay rises
// to 99 of 100, so that the slowest calls can still be hedged.
import { createLatencyHistogram, type LatencyHistogram } from '../../../shared/runtime/latency-histogram.ts';

export interface HedgeDelay {
  /** Records a call of `keys` keys that ended or was cancelled after `latencyMs`. */
  observe(keys: number, latencyMs: number): void;
  /** Whether enough such calls were observed. */
  isMeasured(keys: number): boolean;
  /** Milliseconds. `budgetLevel`: share of the budget that is left, 0 to 1. */
  delayMs(keys: number, budgetLevel: number): number;
}

const EARLIEST = 0.95;
const LATEST = 0.99;
/** An earlier hedge costs more than it can save. */
const MIN_DELAY_MS = 2;
/** Before enough calls were observed. */
const DEFAULT_DELAY_MS = 50;
/** Calls are compared within classes, by their number of keys. */
const CLASS_ENDS = [1, 4, 16, 50, Number.POSITIVE_INFINITY];

export function createHedgeDelay(): HedgeDelay {
  const classes: readonly LatencyHistogram[] = CLASS_ENDS.map(createLatencyHistogram);
  const indexOf = (keys: number): number => CLASS_ENDS.findIndex((end) => keys <= end);

  /** Each class, then the larger ones, then the smaller ones, nearest first. */
  const fallbacks = classes.map((_, own) => [...classes.slice(own), ...classes.slice(0, own).reverse()]);

  /** The quantile of the first of these classes with enough calls. */
  function quantileOf(keys: number, share: number): number | undefined {
    for (const each of fallbacks[indexOf(keys)] ?? []) {
      const found = each.quantile(share);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return {
    observe: (keys, latencyMs) => classes[indexOf(keys)]?.observe(latencyMs),
    isMeasured: (keys) => quantileOf(keys, EARLIEST) !== undefined,
    delayMs: (keys, budgetLevel) => {
      const share = LATEST - (LATEST - EARLIEST) * Math.min(1, budgetLevel);
      return Math.max(MIN_DELAY_MS, quantileOf(keys, share) ?? DEFAULT_DELAY_MS);
    },
  };
}
