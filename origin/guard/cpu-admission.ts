// Admission by CPU: refuses requests before their body is read when the process has no CPU left. The bulkhead can
// refuse only keys, after the request was parsed and looked up; a refusal here costs only a header.
//
// The admitted share shrinks while the process is busy and either the bulkhead sheds more than a little or the event
// loop lags; it grows otherwise. So the bulkhead decides at the margin, and a slow table alone refuses nothing here.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface CpuAdmission {
  /** Whether a request that has just arrived may be read. Call it once per request. */
  admit(): boolean;
  /** Records an admitted read that the bulkhead shed. */
  recordShed(): void;
  /** Share of the requests that is admitted, above 0, at most 1. */
  admittedShare(): number;
}

/** Load of the event loop since the last call. */
export interface LoopLoad {
  /** Share of the time in which the loop was not idle, 0 to 1. */
  readonly utilization: number;
  /** Mean delay of a timer in milliseconds. */
  readonly lagMs: number;
}

export interface CpuAdmissionOptions {
  readonly clock: Pick<Clock, 'monotonicNow'>;
  readonly loopLoad: () => LoopLoad;
}

/** Milliseconds between two adjustments. */
const INTERVAL_MS = 50;
/** Weight of the latest measurement in the means. */
const SMOOTHING = 0.3;
/** Utilization above which the process counts as busy. Near 1 queues grow without end. */
const BUSY = 0.95;
/** Share of the admitted reads that the bulkhead sheds in equilibrium. It shows when to admit less. */
const SHED_TARGET = 0.05;
/** Maximum mean lag. A healthy process has turns of a few milliseconds. */
const MAX_LAG_MS = 20;
const GAIN = 0.3;
/** Some requests are always admitted; without them the end of the overload would go unnoticed. */
const MIN_ADMITTED_SHARE = 0.05;

export function createCpuAdmission({ clock, loopLoad }: CpuAdmissionOptions): CpuAdmission {
  let sinceMs = clock.monotonicNow();
  let admittedShare = 1;
  /** Spreads the admitted requests evenly: at a third, each third one. */
  let credit = 0;
  let admitted = 0;
  let shed = 0;
  let shedShare = 0;
  let utilization = 0;
  let lagMs = 0;

  const smooth = (before: number, now: number): number => before + SMOOTHING * (now - before);

  function adjust(): void {
    const load = loopLoad();
    utilization = smooth(utilization, load.utilization);
    lagMs = smooth(lagMs, load.lagMs);
    shedShare = smooth(shedShare, admitted === 0 ? 0 : Math.min(1, shed / admitted));
    admitted = 0;
    shed = 0;
    const excess = lagMs > MAX_LAG_MS ? 1 : shedShare;
    // The share grows faster the more CPU is left.
    const factor = utilization >= BUSY ? 1 - GAIN * (excess - SHED_TARGET) : 1 + (BUSY - utilization);
    admittedShare = Math.min(1, Math.max(MIN_ADMITTED_SHARE, admittedShare * factor));
  }

  return {
    admit: () => {
      if (clock.monotonicNow() - sinceMs >= INTERVAL_MS) {
        sinceMs = clock.monotonicNow();
        adjust();
      }
      credit += admittedShare;
      if (credit < 1) return false;
      credit -= 1;
      admitted++;
      return true;
    },
    recordShed: () => {
      shed++;
    },
    admittedShare: () => admittedShare,
  };
}

const LAG_RESOLUTION_MS = 10;

/** Measures the event loop of this process until the process ends. */
export function watchLoop(): () => LoopLoad {
  const delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delays.enable();
  let before = performance.eventLoopUtilization();
  let timers = 0;
  let sumNs = 0;
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    // The histogram has the time from timer to timer. A reset would drop the timer in progress, which is the late one.
    const newTimers = delays.count - timers;
    const newSumNs = delays.count * delays.mean - sumNs;
    timers += newTimers;
    sumNs += newSumNs;
    const lagMs = newTimers === 0 ? 0 : Math.max(0, newSumNs / newTimers / 1e6 - LAG_RESOLUTION_MS);
    return { utilization, lagMs };
  };
}
