// Waits with a bound, on the injected clock.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
}

/** The caller cancelled the wait. */
export class WaitCancelled extends Error {
  override readonly name = 'WaitCancelled';
}

/**
 * Resolves to the result of `work`. Rejects with a WaitTimeout after `timeoutMs`, or with a WaitCancelled when
 * `cancellation` fires. Both abort the signal that `work` gets, and end the wait even if `work` ignores it.
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  cancellation?: Cancellation,
): Promise<T> {
  const cancelled = (): WaitCancelled => new WaitCancelled('the caller cancelled the wait');
  if (cancellation?.isCancelled()) throw cancelled();
  const controller = new AbortController();
  const ended = Promise.withResolvers<never>();
  const endWith = (error: Error): void => {
    controller.abort(error);
    ended.reject(error);
  };
  const cancelTimer = clock.setTimeout(() => endWith(new WaitTimeout(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const removeListener = cancellation?.onCancel(() => endWith(cancelled()));
  try {
    return await Promise.race([work(controller.signal), ended.promise]);
  } finally {
    cancelTimer();
    removeListener?.();
  }
}
