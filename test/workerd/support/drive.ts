// Completion of work that waits on a manual clock.
import type { ManualClock } from '../../../bench/support/manual-clock.ts';

/**
 * Advances the clock by `stepMs` at a time, after `eachStep`, until `work` settles. Returns the duration on the clock.
 */
export async function drive<T>(
  clock: ManualClock,
  work: Promise<T>,
  stepMs = 20,
  eachStep = (): void => {},
): Promise<{ value: T; tookMs: number }> {
  const startedAtMs = clock.now();
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  for (let steps = 0; !isDone && steps < 2_000; steps++) {
    // RPC takes a few turns of the event loop.
    for (let turns = 0; turns < 4 && !isDone; turns++) await scheduler.wait(1);
    if (isDone) break;
    eachStep();
    clock.advance(stepMs);
  }
  return { value: await done, tookMs: clock.now() - startedAtMs };
}
