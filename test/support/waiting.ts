// Waiting for other code without sleeping.
import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';
import type { ManualClock } from '../../bench/support/manual-clock.ts';
import { patience } from './patience.ts';

/** Between two looks that cost, or that keep another process from its work. */
const COSTLY_POLL_MS = 200;

/** Resolves when `assertion` holds. The time limit only ends a failing test. */
export const eventually = (assertion: () => unknown): Promise<unknown> => vi.waitFor(assertion, patience.expect.poll);

/** As `eventually`, for an assertion that takes much work, such as a command, or that waits for another process. */
export const eventuallySeldom = (assertion: () => unknown): Promise<unknown> =>
  vi.waitFor(assertion, { ...patience.expect.poll, interval: COSTLY_POLL_MS });

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
