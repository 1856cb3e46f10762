// When a call has taken so long that it is asked a second time: after the time in which 95 of 100 such calls end. When the budget for second
// calls runs low, later, up to where 99 of 100 do, so that there is something left for the few that take really long.
import { createLatencyHistogram, type LatencyHistogram } from '../../../shared/runtime/latency-histogram.ts';

export interface HedgeDelay {
  /** A call of so many keys took so long, or was let go of after that time. */
  observe(keys: number, latencyMs: number): void;
  /** Whether enough such calls were seen to know what is slow. */
  isMeasured(keys: number): boolean;
  /** In milliseconds; `budgetLevel` is how much of the budget is left, 0 to 1. */
  delayMs(keys: number, budgetLevel: number): number;
}

const EARLIEST = 0.95;
const LATEST = 0.99;
/** Below it a second call costs more than it can save. */
const MIN_DELAY_MS = 2;
/** Before anything was measured. */
const DEFAULT_DELAY_MS = 50;
/** More keys take longer: calls of up to so many are compared with each other. */
const CLASS_ENDS = [1, 4, 16, 50, Number.POSITIVE_INFINITY];

export function createHedgeDelay(): HedgeDelay {
  const classes: readonly LatencyHistogram[] = CLASS_ENDS.map(createLatencyHistogram);
  const indexOf = (keys: number): number => CLASS_ENDS.findIndex((end) => keys <= end);

  /** Of calls of so many keys; as long as there were too few, of the next larger ones that were measured, else of the next smaller. */
  function quantileOf(keys: number, share: number): number | undefined {
    const own = indexOf(keys);
    for (let i = own; i < classes.length; i++) {
      const found = classes[i]?.quantile(share);
      if (found !== undefined) return found;
    }
    for (let i = own - 1; i >= 0; i--) {
      const found = classes[i]?.quantile(share);
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
