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

/** Batches that take so many times the baseline, on average over a period, say that the cluster is busy. */
const SLOW = 3;
/** Shorter batches are no sign of load. */
const LEAST_SLOW_MS = 200;
/** The baseline is the median of so many batches, so it has the latency that the load itself makes. */
const BASELINE_BATCHES = 20;
/** Weight of a new batch in the baseline: a busy hour must not become the measure. */
const DRIFT = 0.01;
const FALL = 0.7;
const RISE = 1.25;
/** The bounds of the server's factor. Source: the client of Java, RateLimitingServerStreamingCallable. */
const FACTORS = [0.7, 1.3] as const;
const LEAST_ROWS_PER_SECOND = 100;
/** The rate changes at most once in this time: batches in flight were sent under the rate before. */
const PERIOD_MS = 1_000;

export function createWriteThrottle({
  clock,
  maxRowsPerSecond = Number.POSITIVE_INFINITY,
}: ThrottleOptions): WriteThrottle {
  let rate = maxRowsPerSecond;
  let nextAtMs = 0;
  const baseline = createBaseline();
  let period = createPeriod(clock.now());

  function change(factor: number, measured: number): void {
    const isFree = !Number.isFinite(rate);
    if (isFree && factor >= 1) return;
    const next = Math.max(LEAST_ROWS_PER_SECOND, (isFree ? measured : rate) * factor);
    // Above twice of what the load needs, the rate holds nothing back.
    rate = Math.min(maxRowsPerSecond, factor > 1 && next > 2 * measured ? Number.POSITIVE_INFINITY : next);
  }

  function factorOf({ isRefused, factor, meanBatchMs, meanRowMs }: ReturnType<typeof period.get>): number {
    if (factor !== undefined) return Math.min(FACTORS[1], Math.max(FACTORS[0], factor));
    const isSlow = meanBatchMs > LEAST_SLOW_MS && meanRowMs > SLOW * baseline.rowMs();
    return isRefused || isSlow ? FALL : RISE;
  }

  return {
    admit: async (rows) => {
      const nowMs = clock.now();
      // A load that only reads for a while is not slow.
      if (period.isEmpty()) period = createPeriod(nowMs);
      const atMs = Math.max(nowMs, nextAtMs);
      nextAtMs = atMs + (Number.isFinite(rate) ? (rows / rate) * 1_000 : 0);
      if (atMs > nowMs) await pause(clock, atMs - nowMs);
    },
    report: (batch) => {
      period.add(batch);
      baseline.add(batch.tookMs / Math.max(1, batch.rows));
      const nowMs = clock.now();
      if (nowMs - period.sinceMs < PERIOD_MS) return;
      const seen = period.get(nowMs);
      change(factorOf(seen), seen.rowsPerSecond);
      period = createPeriod(nowMs);
    },
    rate: () => rate,
  };
}

/** Milliseconds for a row of a batch as they usually are. Infinity until it is known. */
function createBaseline() {
  const first: number[] = [];
  let usual: number | undefined;
  return {
    add: (rowMs: number): void => {
      if (usual !== undefined) usual += DRIFT * (rowMs - usual);
      else if (first.push(rowMs) === BASELINE_BATCHES) usual = first.sort((a, b) => a - b)[BASELINE_BATCHES / 2];
    },
    rowMs: (): number => usual ?? Number.POSITIVE_INFINITY,
  };
}

/** The batches since `sinceMs`. */
function createPeriod(sinceMs: number) {
  let [batches, rows, tookMs] = [0, 0, 0];
  let isRefused = false;
  let factor: number | undefined;
  return {
    sinceMs,
    isEmpty: () => batches === 0,
    add: (batch: BatchReport): void => {
      batches++;
      rows += batch.rows;
      tookMs += batch.tookMs;
      isRefused ||= batch.isRefused;
      factor = batch.factor ?? factor;
    },
    get: (nowMs: number) => ({
      ...{ isRefused, factor, meanBatchMs: tookMs / batches, meanRowMs: tookMs / Math.max(1, rows) },
      rowsPerSecond: (rows * 1_000) / Math.max(1, nowMs - sinceMs),
    }),
  };
}
