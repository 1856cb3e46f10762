// Repeats a call that changes nothing when it is made twice: a read, or a step that looks before it acts. Waits grow
// exponentially with full jitter. Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
import { isRetryable } from '../../origin/bigtable/bigtable-error.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface Retries {
  readonly clock: Clock;
  /** A number in [0, 1) for the jitter. */
  readonly random: () => number;
  /** Milliseconds from the first attempt in which another may start. 0: one attempt. */
  readonly totalMs: number;
  /** Called before the first wait. */
  readonly onRetry?: (error: Error) => void;
}

const CALL_TIMEOUT_MS = 10_000;
const MIN_CALL_TIMEOUT_MS = 1_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/**
 * The result of `work`, which gets the milliseconds that it may take. Throws the last error, or at once one that a
 * repetition does not change.
 */
export async function withRetries<T>(
  { clock, random, totalMs, onRetry }: Retries,
  work: (timeoutMs: number) => Promise<T>,
): Promise<T> {
  const untilMs = clock.monotonicNow() + totalMs;
  const leftMs = (): number => untilMs - clock.monotonicNow();
  for (let attempt = 1; ; attempt++) {
    // A first attempt has the whole time of a call, also without retries.
    const limitMs = attempt === 1 ? CALL_TIMEOUT_MS : Math.min(CALL_TIMEOUT_MS, leftMs());
    try {
      return await work(Math.max(MIN_CALL_TIMEOUT_MS, Math.ceil(limitMs)));
    } catch (error) {
      const waitMs = random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
      if (!isRetryable(error) || waitMs >= leftMs()) throw error;
      if (attempt === 1) onRetry?.(error as Error);
      await pause(clock, waitMs);
    }
  }
}
