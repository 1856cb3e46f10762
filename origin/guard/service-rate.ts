// How many keys get done per ms while reads wait: how fast a queue is worked off. Without a queue the rate says only how little there was
// to do. What was measured long ago is better than nothing: as long as nothing is known every read is let into the queue, which in the first
// moments of an overload becomes twice as long by that as is allowed.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface ServiceRate {
  /** `weight` keys were done. */
  done(weight: number): void;
  /** Called whenever reads begin or cease to wait; may be called more often. */
  setQueueing(isQueueing: boolean): void;
  /** Whether it was measured in the last 5 s. */
  isFresh(): boolean;
  /** ms until `weight` keys are done; 0 as long as nothing was ever measured. */
  msFor(weight: number): number;
}

/** ms of queueing that make one measurement, and how much the newest counts. */
const MEASURED_MS = 50;
const SMOOTHING = 0.3;
/** For the very first one less will do. At 15 some are shed at 0.7 of the capacity, in simulation. */
const FIRST_MEASURED_MS = 25;
/** When the last one is older than this, the next counts alone. */
const MAX_AGE_MS = 5000;

export function createServiceRate(clock: Pick<Clock, 'monotonicNow'>): ServiceRate {
  /** Since when reads have been waiting, as far as it has not been counted. */
  let sinceMs: number | undefined;
  let queueingMs = 0;
  let doneWhileQueueing = 0;
  let perMs = 0;
  let measuredAtMs = Number.NEGATIVE_INFINITY;

  const isFresh = (): boolean => clock.monotonicNow() - measuredAtMs <= MAX_AGE_MS;

  function count(): void {
    if (sinceMs === undefined) return;
    const nowMs = clock.monotonicNow();
    queueingMs += nowMs - sinceMs;
    sinceMs = nowMs;
    // A rate of nothing would say that a queue never ends, and then nobody would be let into one to find out.
    if (queueingMs < (perMs > 0 ? MEASURED_MS : FIRST_MEASURED_MS) || doneWhileQueueing === 0) return;
    const measured = doneWhileQueueing / queueingMs;
    perMs = isFresh() ? perMs + SMOOTHING * (measured - perMs) : measured;
    measuredAtMs = nowMs;
    queueingMs = 0;
    doneWhileQueueing = 0;
  }

  return {
    done: (weight) => {
      if (sinceMs === undefined) return;
      doneWhileQueueing += weight;
      count();
    },
    setQueueing: (isQueueing) => {
      count();
      sinceMs = isQueueing ? clock.monotonicNow() : undefined;
    },
    isFresh,
    msFor: (weight) => (perMs === 0 ? 0 : weight / perMs),
  };
}
