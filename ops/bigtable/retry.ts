// Repeats a call that changes nothing when it is made twice: a read, or a step that looks before it acts. Waits grow
// exponentially with full jitter. Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
import { grpcCodeOf, isRetryable } from '../../origin/bigtable/bigtable-error.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

export interface Retries {
  readonly clock: Clock;
  /** A number in [0, 1) for the jitter. */
  readonly random: () => number;
  /** Milliseconds from the first failure in which another attempt may start. 0: one attempt. */
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
  // A first attempt has the whole time of a call, and may also have to load the client.
  let untilMs: number | undefined;
  const leftMs = (): number => (untilMs ?? clock.monotonicNow() + CALL_TIMEOUT_MS) - clock.monotonicNow();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(Math.max(MIN_CALL_TIMEOUT_MS, Math.min(CALL_TIMEOUT_MS, Math.ceil(leftMs()))));
    } catch (error) {
      untilMs ??= clock.monotonicNow() + totalMs;
      const waitMs = random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
      if (!isPassing(error) || waitMs >= leftMs()) throw error;
      if (attempt === 1) onRetry?.(error as Error);
      await pause(clock, waitMs);
    }
  }
}

/** A failure of Bigtable that may pass. An error of the program stays. */
const isPassing = (error: unknown): boolean =>
  (error instanceof EarshotError || grpcCodeOf(error) !== undefined) && isRetryable(error);
