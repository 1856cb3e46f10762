// A clock that a test or a measurement advances.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface ManualClock extends Clock {
  /** Advances time by `byMs`, and runs due timers in the order of their time. */
  advance(byMs: number): void;
  /** Number of pending timers. 0 proves that none was left behind. */
  pending(): number;
}

/** A clock that stands at `startMs` until `advance` is called. */
export function createManualClock(startMs = 1_795_402_800_000): ManualClock {
  let nowMs = startMs;
  let nextId = 0;
  const timers = new Map<number, { dueAtMs: number; fn: () => void }>();

  function earliestDue(untilMs: number): number | undefined {
    let found: number | undefined;
    let foundAtMs = Number.POSITIVE_INFINITY;
    for (const [id, timer] of timers) {
      if (timer.dueAtMs <= untilMs && timer.dueAtMs < foundAtMs) {
        found = id;
        foundAtMs = timer.dueAtMs;
      }
    }
    return found;
  }

  return {
    now: () => nowMs,
    monotonicNow: () => nowMs,
    setTimeout: (fn, delayMs) => {
      const id = nextId++;
      timers.set(id, { dueAtMs: nowMs + Math.max(0, delayMs), fn });
      return () => {
        timers.delete(id);
      };
    },
    advance: (byMs) => {
      const untilMs = nowMs + byMs;
      for (let id = earliestDue(untilMs); id !== undefined; id = earliestDue(untilMs)) {
        const timer = timers.get(id);
        timers.delete(id);
        if (timer === undefined) continue;
        nowMs = Math.max(nowMs, timer.dueAtMs);
        timer.fn();
      }
      nowMs = untilMs;
    },
    pending: () => timers.size,
  };
}
