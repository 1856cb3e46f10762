// Waiting for what another part does, without sleeping.
import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';
import type { ManualClock } from '../../shared/runtime/clock.ts';
import { patience } from './patience.ts';

/** Resolves once `assertion` holds; the bound is only there for a test that fails. */
export const eventually = (assertion: () => unknown): Promise<unknown> => vi.waitFor(assertion, patience.expect.poll);

/** Resolves or rejects as `work` does; whenever something waits for `clock`, it moves on by `stepMs`. */
export async function settleWith<T>(clock: ManualClock, work: Promise<T>, stepMs = 1000): Promise<T> {
  let isSettled = false;
  const settled = work.finally(() => {
    isSettled = true;
  });
  // Whoever awaits `settled` below hears of the error; until then nobody does.
  settled.catch(() => undefined);
  while (!isSettled) {
    await setImmediate();
    if (clock.pending() > 0) clock.advance(stepMs);
  }
  return settled;
}
