// Limit of the queue delay, by the share of reads that is refused. A burst is waited out; in an overload the queue is
// short, because there it only adds latency. A proportional version of CoDel (RFC 8289; "Fail at Scale", ACM Queue
// 13/8), which jumps between two fixed limits.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface QueueDelayLimit {
  /** Maximum milliseconds of queued work before a read that arrives now. */
  ms(): number;
  /** Records a read that arrived. `isShed`: it was shed for its queue delay. */
  recordArrival(weight: number, isShed: boolean): void;
  /** Share of the recent weight that was shed here, 0 to 1. */
  shedShare(): number;
  /** Share of the recent reads that the process refused, here or earlier, 0 to 1. */
  refusedShare(): number;
}

export interface QueueDelayLimitOptions {
  readonly clock: Clock;
  /** The limit while no read is shed, in milliseconds. */
  readonly maxDelayMs: number;
  /** Share of the process's reads that arrives here, above 0, at most 1. Default: all reads. */
  readonly admittedShare?: (() => number) | undefined;
}

/** The share is a moving mean over intervals of this length. */
const INTERVAL_MS = 50;
/** Weight of the latest interval in the mean. */
const SMOOTHING = 0.5;
/** The limit in a full overload. */
const MIN_DELAY_MS = 2.5;
/** Refused share of a full overload. A higher value admits too much where the capacity itself varies. */
export const FULL_OVERLOAD_SHARE = 0.4;

export function createQueueDelayLimit(options: QueueDelayLimitOptions): QueueDelayLimit {
  const { clock, maxDelayMs, admittedShare = () => 1 } = options;
  let share = 0;
  let interval = { sinceMs: clock.monotonicNow(), arrived: 0, shed: 0 };

  function endIntervals(): void {
    const nowMs = clock.monotonicNow();
    const ended = Math.floor((nowMs - interval.sinceMs) / INTERVAL_MS);
    if (ended === 0) return;
    const { arrived, shed } = interval;
    share += SMOOTHING * ((arrived === 0 ? 0 : shed / arrived) - share);
    // The intervals after that one were empty.
    share *= (1 - SMOOTHING) ** (ended - 1);
    interval = { sinceMs: nowMs, arrived: 0, shed: 0 };
  }

  function refusedShare(): number {
    endIntervals();
    return 1 - (1 - share) * admittedShare();
  }

  return {
    ms: () => Math.max(MIN_DELAY_MS, maxDelayMs * (1 - refusedShare() / FULL_OVERLOAD_SHARE)),
    refusedShare,
    recordArrival: (weight, isShed) => {
      endIntervals();
      interval.arrived += weight;
      if (isShed) interval.shed += weight;
    },
    shedShare: () => {
      endIntervals();
      return share;
    },
  };
}
