// Refuses requests before they are read, when the process has no CPU left. The bulkhead guards the table: it counts keys, so it can refuse only
// what has been received, parsed and looked up in memory, and at several times what can be served that takes a good part of the CPU. A refusal
// here costs a header. What it refuses might have been in memory; with no CPU left that makes no difference.
//
// The part that comes through is multiplied down while the process is busy and the bulkhead still sheds more than a little, or turns of the
// event loop take too long (when all is in memory, nothing else tells), and up as soon as it is not. So it is the bulkhead that decides at
// the margin, and a table that is slow while there is CPU left closes no gate.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface Gate {
  /** Whether a request that has just arrived is refused. To be asked once for each. */
  refuses(): boolean;
  /** A read that came through was shed all the same. */
  noteShed(): void;
  /** The part of the requests that comes through, above 0, at most 1. */
  admittedShare(): number;
}

/** What the process's event loop was like since it was last asked. */
export interface LoopLoad {
  /** The part of the time in which it was not idle, 0 to 1. */
  readonly utilization: number;
  /** What a timer was late, in ms, in the mean. */
  readonly lagMs: number;
}

export interface GateOptions {
  readonly clock: Pick<Clock, 'monotonicNow'>;
  readonly loopLoad: () => LoopLoad;
}

/** How often the part is set anew, in ms, and how much the newest measurement counts. */
const INTERVAL_MS = 50;
const SMOOTHING = 0.3;
/** Busier has no CPU left: at all of it, queues have no end. */
const BUSY = 0.95;
/** What the bulkhead is left to shed of what comes through: without it the gate would not know when to close. */
const SHED_TARGET = 0.05;
/** A healthy process has turns of a few ms: a merged call's answer of 100 rows. It is the moving mean: one turn of some 50 ms closes nothing. */
const MAX_LAG_MS = 20;
const GAIN = 0.3;
/** Without somebody who comes through nobody would notice that it is over. */
const MIN_ADMITTED = 0.05;

export function createGate({ clock, loopLoad }: GateOptions): Gate {
  let sinceMs = clock.monotonicNow();
  let admitted = 1;
  /** Spread evenly: of a third, every third. */
  let credit = 0;
  let came = 0;
  let shed = 0;
  let shedShare = 0;
  let utilization = 0;
  let lagMs = 0;

  const smooth = (before: number, now: number): number => before + SMOOTHING * (now - before);

  function adjust(): void {
    const load = loopLoad();
    utilization = smooth(utilization, load.utilization);
    lagMs = smooth(lagMs, load.lagMs);
    shedShare = smooth(shedShare, came === 0 ? 0 : Math.min(1, shed / came));
    came = 0;
    shed = 0;
    const tooMuch = lagMs > MAX_LAG_MS ? 1 : shedShare;
    // The more CPU is left, the sooner it is open again.
    const factor = utilization >= BUSY ? 1 - GAIN * (tooMuch - SHED_TARGET) : 1 + (BUSY - utilization);
    admitted = Math.min(1, Math.max(MIN_ADMITTED, admitted * factor));
  }

  return {
    refuses: () => {
      if (clock.monotonicNow() - sinceMs >= INTERVAL_MS) {
        sinceMs = clock.monotonicNow();
        adjust();
      }
      credit += admitted;
      if (credit < 1) return true;
      credit -= 1;
      came++;
      return false;
    },
    noteShed: () => {
      shed++;
    },
    admittedShare: () => admitted,
  };
}

const LAG_RESOLUTION_MS = 10;

/** Of this process. Measures until it ends. */
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
    // It tells the time from one timer to the next. A reset would drop the one that is under way, the very one that is late.
    const newTimers = delays.count - timers;
    const newSumNs = delays.count * delays.mean - sumNs;
    timers += newTimers;
    sumNs += newSumNs;
    const lagMs = newTimers === 0 ? 0 : Math.max(0, newSumNs / newTimers / 1e6 - LAG_RESOLUTION_MS);
    return { utilization, lagMs };
  };
}
