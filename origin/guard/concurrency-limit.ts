// Limit of the keys in flight, found by measuring latency: more keys only lengthen the queue inside the server. A read
// counts by its keys, against the baseline of its weight. The baseline learns only from reads that were almost alone;
// when latency holds the limit down, a probe (latency-probe.ts) tells an overload from a table that has become slower.
import type { Clock } from '../../shared/runtime/clock.ts';
import { createLatencyBaseline } from './latency-baseline.ts';
import {
  addProbeRead,
  isProbeOver,
  type LatencyProbe,
  PROBE_SHARE,
  ProbeSchedule,
  slowdownOf,
  startProbe,
} from './latency-probe.ts';
import { addSample, congestionOf, isWindowOver, startWindow } from './latency-window.ts';
import { clampLimit, stepLimit, toleranceAt } from './limit-step.ts';

export interface ReadSample {
  /** Duration of the read, without its time in the queue. */
  readonly latencyMs: number;
  /** Keys of the read. */
  readonly weight: number;
  /** Keys in flight after the start of the read, its own included. */
  readonly inFlight: number;
  /** `failed` is any failure except the deadline. It says nothing about congestion. */
  readonly outcome: 'ok' | 'deadline' | 'failed';
  /** Share of the recent reads that was refused, 0 to 1. */
  readonly refusedShare: number;
}

export interface ConcurrencyLimit {
  /** Another read may start while fewer keys are in flight. A whole number, at least 1. */
  limit(): number;
  observe(sample: ReadSample): void;
  /** Milliseconds that a read of `weight` keys takes under the present load. 0 before anything was measured. */
  expectMs(weight: number): number;
}

export interface ConcurrencyLimitOptions {
  readonly clock: Clock;
  /** Keys, from minLimit to maxLimit. Default: 200. */
  readonly initialLimit?: number;
  /** Keys, at least 1. Default: 50. */
  readonly minLimit?: number;
  /** Keys. Default: 4000. */
  readonly maxLimit?: number;
}

/** A slowdown below this is noise, and leaves the limit alone. */
const MIN_SLOWDOWN = 1.2;

export function createConcurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  const { clock, initialLimit = 200, minLimit = 50, maxLimit = 4000 } = options;
  const bounds = { initialLimit, minLimit, maxLimit };
  const baseline = createLatencyBaseline();
  let limit = clampLimit(initialLimit, bounds);
  const schedule = new ProbeSchedule(clock, limit);
  let window = startWindow(clock.monotonicNow());
  let tolerance = toleranceAt(0);
  /** The last window. */
  let congestion = 1;
  let probe: LatencyProbe | undefined;

  function endWindow(nowMs: number): void {
    const { peak } = window;
    congestion = congestionOf(window);
    window = startWindow(nowMs);
    if (probe !== undefined) return;
    const step = stepLimit(limit, tolerance / congestion, peak, bounds);
    limit = step.limit;
    if (step.change === 'free') schedule.recordFree(limit);
    if (step.change !== 'held-down') return;
    schedule.recordHeldDown();
    if (schedule.startsProbe(limit)) probe = startProbe(nowMs);
  }

  function endProbe(ended: LatencyProbe, nowMs: number): void {
    probe = undefined;
    window = startWindow(nowMs);
    schedule.recordFree(limit);
    const slowdown = slowdownOf(ended);
    if (slowdown !== undefined) baseline.scale(slowdown);
    if (slowdown !== undefined && slowdown > MIN_SLOWDOWN) limit = clampLimit(limit * slowdown, bounds);
    for (const { weight, latencyMs } of ended.firsts) baseline.learn(weight, latencyMs);
  }

  return {
    limit: () => Math.max(1, Math.floor(probe === undefined ? limit : limit * PROBE_SHARE)),
    expectMs: (weight) => (baseline.expectMs(weight) ?? 0) * congestion,
    observe: ({ latencyMs, weight, inFlight, outcome, refusedShare }) => {
      if (outcome === 'failed') return;
      tolerance = toleranceAt(refusedShare);
      const nowMs = clock.monotonicNow();
      const expectedMs = baseline.expectMs(weight);
      // A read that was cut off within the tolerance says nothing. A read cut off later would have taken even longer.
      if (expectedMs !== undefined && (outcome === 'ok' || latencyMs >= tolerance * expectedMs)) {
        addSample(window, weight, outcome === 'ok' ? latencyMs : 2 * latencyMs, expectedMs);
        window.peak = Math.max(window.peak, inFlight);
      }
      // A read that ran out of time does not show the table's latency.
      if (outcome === 'ok' && inFlight - weight <= limit * PROBE_SHARE) {
        if (probe === undefined) baseline.learn(weight, latencyMs);
        else addProbeRead(probe, weight, latencyMs, expectedMs, nowMs);
      }
      if (probe !== undefined && isProbeOver(probe, nowMs)) endProbe(probe, nowMs);
      if (isWindowOver(window, nowMs)) endWindow(nowMs);
    },
  };
}
