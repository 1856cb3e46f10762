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
