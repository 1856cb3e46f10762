// Waiting with a bound, on the injected clock.

import type { Presence } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
}

/** Whoever waited does not want it any more. */
export class WaitCancelled extends Error {
  override readonly name = 'WaitCancelled';
}

/**
 * What `work` resolves to, a WaitTimeout once `timeoutMs` have passed, or a WaitCancelled once `presence` is gone. The signal is aborted then,
 * but the wait ends even if `work` does not heed it.
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  presence?: Presence,
): Promise<T> {
  if (presence?.isGone()) throw new WaitCancelled('nobody waits for it any more');
  const controller = new AbortController();
  const ended = Promise.withResolvers<never>();
  const endWith = (error: Error): void => {
    controller.abort(error);
    ended.reject(error);
  };
  const cancelTimer = clock.setTimeout(() => endWith(new WaitTimeout(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const forget = presence?.onGone(() => endWith(new WaitCancelled('nobody waits for it any more')));
  try {
    return await Promise.race([work(controller.signal), ended.promise]);
  } finally {
    cancelTimer();
    forget?.();
  }
}
