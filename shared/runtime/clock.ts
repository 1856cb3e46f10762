// Time as a dependency: code that waits or reads the time takes a Clock, so tests can hold it still. Only this file
// uses the platform's timers.
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds with fractions since some moment. It never goes back; use it for durations. */
  monotonicNow(): number;
  /** Runs `fn` once after `delayMs`. Returns the function that cancels it. */
  setTimeout(fn: () => void, delayMs: number): () => void;
}

export interface ManualClock extends Clock {
  /** Advances time by `byMs`, and runs due timers in the order of their time. */
  advance(byMs: number): void;
  /** Number of pending timers. 0 proves that none was left behind. */
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
