// The I/O around the worker. Half of it takes a while and ends in a random order, so that requests overlap.
import type { ManualClock } from '../../../bench/support/manual-clock.ts';
import type { Chance } from '../../support/chance.ts';

export interface Io {
  /** Resolves at once, or after some turns. */
  wait(): Promise<void>;
  /** One turn: some I/O ends, the time advances, and all ready code runs. */
  turn(): Promise<void>;
}

const MAX_STEP_MS = 15;
/** Advance of a turn in which no I/O is under way, so that hanging work reaches its timeout soon. */
const IDLE_STEP_MS = 120;

export function createIo(chance: Chance, clock: ManualClock): Io {
  let waiting: (() => void)[] = [];
  return {
    wait: () => (chance.is(0.5) ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    turn: async () => {
      const isIdle = waiting.length === 0;
      const ended: (() => void)[] = [];
      const rest: (() => void)[] = [];
      for (const each of waiting) (chance.is(0.6) ? ended : rest).push(each);
      waiting = rest;
      while (ended.length > 0) ended.splice(chance.below(ended.length), 1)[0]?.();
      await scheduler.wait(0);
      clock.advance(isIdle ? IDLE_STEP_MS : chance.below(MAX_STEP_MS));
    },
  };
}
