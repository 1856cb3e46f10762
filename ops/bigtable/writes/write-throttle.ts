// The pace of a load. It follows what the cluster says: the latency of its own batches against their baseline,
// refusals (RESOURCE_EXHAUSTED), and the factor of the server's flow control (`RateLimitInfo`, google.bigtable.v2).
// The rate falls by a factor and rises slowly, as congestion control does (V. Jacobson, "Congestion Avoidance and
// Control", 1988).
import { type Clock, pause } from '../../../shared/runtime/clock.ts';

export interface BatchReport {
  readonly rows: number;
  readonly tookMs: number;
  /** Whether the cluster refused a row for want of capacity. */
  readonly isRefused: boolean;
  /** The server's factor for the rate of the client, 0.7 to 1.3 in practice. Undefined: it gave none. */
  readonly factor?: number | undefined;
}

export interface WriteThrottle {
  /** Resolves once a batch of `rows` may be sent. */
  admit(rows: number): Promise<void>;
  report(batch: BatchReport): void;
  /** Rows per second, or Infinity while nothing holds the load back. */
  rate(): number;
}

interface ThrottleOptions {
  readonly clock: Clock;
  /** Never exceeded. Default: no limit. */
  readonly maxRowsPerSecond?: number | undefined;
}

/** A batch that takes so many times the baseline says that the cluster is busy. */
const SLOW = 3;
/** Shorter batches are no sign of load. */
const LEAST_SLOW_MS = 200;
const FALL = 0.7;
const RISE = 1.05;
/** The bounds of the server's factor. Source: the client of Java, RateLimitingServerStreamingCallable. */
const FACTORS = [0.7, 1.3] as const;
const LEAST_ROWS_PER_SECOND = 100;
/** The rate changes at most once in this time: batches in flight were sent under the rate before. */
const PERIOD_MS = 1_000;
/** Weight of a new batch in the baseline, if it is slower: a busy hour must not become the measure. */
const DRIFT = 0.01;

export function createWriteThrottle({
  clock,
  maxRowsPerSecond = Number.POSITIVE_INFINITY,
}: ThrottleOptions): WriteThrottle {
  let rate = maxRowsPerSecond;
  let nextAtMs = 0;
  let baselineMs: number | undefined;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  let measured = createMeter(clock);

  function change(factor: number): void {
    const nowMs = clock.now();
    if (nowMs - changedAtMs < PERIOD_MS) return;
    const current = Number.isFinite(rate) ? rate : measured.perSecond();
    if (factor >= 1 && !Number.isFinite(rate)) return;
    changedAtMs = nowMs;
    const next = Math.max(LEAST_ROWS_PER_SECOND, current * factor);
    // Above twice of what the load needs, the rate holds nothing back.
    rate = Math.min(maxRowsPerSecond, next > 2 * measured.perSecond() && factor > 1 ? Number.POSITIVE_INFINITY : next);
    measured = createMeter(clock);
  }

  return {
    admit: async (rows) => {
      const nowMs = clock.now();
      const atMs = Math.max(nowMs, nextAtMs);
      nextAtMs = atMs + (Number.isFinite(rate) ? (rows / rate) * 1_000 : 0);
      if (atMs > nowMs) await pause(clock, atMs - nowMs);
    },
    report: ({ rows, tookMs, isRefused, factor }) => {
      measured.add(rows);
      const perRow = tookMs / Math.max(1, rows);
      const isSlow = baselineMs !== undefined && tookMs > LEAST_SLOW_MS && perRow > SLOW * baselineMs;
      baselineMs =
        baselineMs === undefined || perRow < baselineMs ? perRow : baselineMs + DRIFT * (perRow - baselineMs);
      if (factor !== undefined) change(Math.min(FACTORS[1], Math.max(FACTORS[0], factor)));
      else change(isRefused || isSlow ? FALL : RISE);
    },
    rate: () => rate,
  };
}

/** Rows per second since it was made. */
function createMeter(clock: Clock) {
  const sinceMs = clock.now();
  let rows = 0;
  return {
    add: (more: number): void => {
      rows += more;
    },
    perSecond: (): number => (rows * 1_000) / Math.max(PERIOD_MS, clock.now() - sinceMs),
  };
}
