// Long work in turns, so that calls are answered between them. Work of low priority is done one at a time, in the order
// in which it came, and leaves time to spare while there are calls of high priority: what those need at the next moment
// is not known at this one.
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

export interface Turns {
  /**
   * To be awaited between small steps: what it gives is there when others are to have their turn first, and resolves
   * when they had it.
   */
  next(): Promise<void> | undefined;
}

export interface LowPriority {
  /** A call of high priority was taken. */
  noteHigh(): void;
  /** What `work` gives. It is begun when all that came before has ended. */
  run<T>(work: (turns: Turns) => Promise<T>): Promise<T>;
}

/** What nobody notices who waits meanwhile. */
const TURN_MS = 0.5;
/** As long as the last call of high priority is not longer ago, low ones rest after each turn. */
const HIGH_MS = 100;
/**
 * So they have a fifteenth of the time then: with more, what they leave to collect as garbage can be felt by reads
 * (`npm run bench -- loading`).
 */
const REST_MS = 8;

/** Turns of work that need not give way for longer than others have theirs. */
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
    noteHigh: () => {
      highAtMs = performance.now();
    },
    run: (work) => {
      const result = last.then(() => work(createTurns(rest)));
      last = result.catch(() => undefined);
      return result;
    },
  };
}
