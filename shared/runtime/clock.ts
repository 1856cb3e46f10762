// Time as a dependency: everything that waits or asks what time it is takes a Clock, so that tests can hold it still.
// This is the only file that touches the platform's own timers.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds with their fractions from some moment on: never goes back, for how long things take. */
  monotonicNow(): number;
  /** Runs `fn` once after `delayMs` and returns the function that cancels it. */
  setTimeout(fn: () => void, delayMs: number): () => void;
}

export interface ManualClock extends Clock {
  /** Moves time on by `byMs`, running what falls due on the way in the order of its time. */
  advance(byMs: number): void;
  /** How many timers are waiting: 0 says that nothing was left behind. */
  pending(): number;
}

interface PlatformTimers {
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  readonly performance: { now(): number };
}

const platform = globalThis as unknown as PlatformTimers;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => platform.performance.now(),
  setTimeout: (fn, delayMs) => {
    const timer = platform.setTimeout(fn, delayMs);
    return () => platform.clearTimeout(timer);
  },
};

/** Resolves after `delayMs` of `clock`'s time. */
export const pause = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimeout(resolve, delayMs);
  });

/** A clock that stands still at `startMs` until `advance` is called. */
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
