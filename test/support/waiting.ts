// Waiting for other code without sleeping.
import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';
import type { ManualClock } from '../../bench/support/manual-clock.ts';
import { patience } from './patience.ts';

/** Resolves when `assertion` holds. The time limit only ends a failing test. */
export const eventually = (assertion: () => unknown): Promise<unknown> => vi.waitFor(assertion, patience.expect.poll);

/** Settles like `work`. Advances `clock` by `stepMs` whenever a timer is pending. */
export async function settleWith<T>(clock: ManualClock, work: Promise<T>, stepMs = 1000): Promise<T> {
  let isSettled = false;
  const settled = work.finally(() => {
    isSettled = true;
  });
  // Prevents an unhandled rejection: `settled` below reports the error.
  settled.catch(() => undefined);
  while (!isSettled) {
    await setImmediate();
    if (clock.pending() > 0) clock.advance(stepMs);
  }
  return settled;
}
