// Rate at which keys are read while other reads wait: the speed of the queue. Without a queue the rate would only
// measure the demand. An old rate is kept: without any rate each read would enter the queue, which would become twice
// as long as its limit.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface ServiceRate {
  /** Records the end of a read of `weight` keys. */
  recordDone(weight: number): void;
  /** Reports whether reads wait. Repeated reports are harmless. */
  setQueueing(isQueueing: boolean): void;
  /** Whether the rate was measured in the last 5 s. */
  isFresh(): boolean;
  /** Milliseconds to read `weight` keys. 0 before the first measurement. */
  msFor(weight: number): number;
}

/** Milliseconds of queueing per measurement. */
const MEASURED_MS = 50;
/** The first measurement is shorter, but long enough not to shed reads below the capacity. */
const FIRST_MEASURED_MS = 25;
/** Weight of the latest measurement in the mean. */
const SMOOTHING = 0.3;
/** An older rate is replaced by the next measurement. */
const MAX_AGE_MS = 5000;

export function createServiceRate(clock: Pick<Clock, 'monotonicNow'>): ServiceRate {
  /** Start of the queueing time that is not counted yet. Undefined without a queue. */
  let sinceMs: number | undefined;
  let queueingMs = 0;
  let doneWhileQueueing = 0;
  let perMs = 0;
  let measuredAtMs = Number.NEGATIVE_INFINITY;

  const isFresh = (): boolean => clock.monotonicNow() - measuredAtMs <= MAX_AGE_MS;

  function measure(): void {
    if (sinceMs === undefined) return;
    const nowMs = clock.monotonicNow();
    queueingMs += nowMs - sinceMs;
    sinceMs = nowMs;
    // A rate of 0 would mean that the queue never ends, and no read would enter it to disprove that.
    if (queueingMs < (perMs > 0 ? MEASURED_MS : FIRST_MEASURED_MS) || doneWhileQueueing === 0) return;
    const measured = doneWhileQueueing / queueingMs;
    perMs = isFresh() ? perMs + SMOOTHING * (measured - perMs) : measured;
    measuredAtMs = nowMs;
    queueingMs = 0;
    doneWhileQueueing = 0;
  }

  return {
    recordDone: (weight) => {
      if (sinceMs === undefined) return;
      doneWhileQueueing += weight;
      measure();
    },
    setQueueing: (isQueueing) => {
      measure();
      sinceMs = isQueueing ? clock.monotonicNow() : undefined;
    },
    isFresh,
    msFor: (weight) => (perMs === 0 ? 0 : weight / perMs),
  };
}
