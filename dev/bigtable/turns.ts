// Cooperative scheduling of long work: calls are answered between its turns. Low-priority work runs one job at a time
// in order of arrival. It rests after each turn while high-priority calls arrive, because the next one cannot be
// foreseen.
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

export interface Turns {
  /**
   * To be awaited between small steps. Returns a promise if the turn is over; it resolves when the next turn starts.
   */
  next(): Promise<void> | undefined;
}

export interface LowPriority {
  /** Records the arrival of a high-priority call. */
  recordHighPriorityCall(): void;
  /** Starts `work` when all earlier work has ended. Resolves or rejects with its result. */
  run<T>(work: (turns: Turns) => Promise<T>): Promise<T>;
}

/** Length of a turn: a waiting call does not notice this delay. */
const TURN_MS = 0.5;
/** Low-priority work rests after each turn for this time after the last high-priority call. */
const HIGH_MS = 100;
/**
 * Limits low-priority work to a fifteenth of the time. With more, reads notice the collection of its garbage (`npm run
 * bench -- loading`).
 */
const REST_MS = 8;

/** Turns of work that pauses only to let pending calls run. */
export function createTurns(rest: () => Promise<unknown> = nextTurn): Turns {
  let sinceMs = performance.now();
  return {
    next: () => {
      if (performance.now() - sinceMs < TURN_MS) return undefined;
      return rest().then(() => {
        sinceMs = performance.now();
      });
    },
  };
}

export function createLowPriority(): LowPriority {
  let highAtMs = Number.NEGATIVE_INFINITY;
  let last: Promise<unknown> = Promise.resolve();
  const rest = (): Promise<unknown> => (performance.now() - highAtMs < HIGH_MS ? pause(REST_MS) : nextTurn());
  return {
    recordHighPriorityCall: () => {
      highAtMs = performance.now();
    },
    run: (work) => {
      const result = last.then(() => work(createTurns(rest)));
      last = result.catch(() => undefined);
      return result;
    },
  };
}
