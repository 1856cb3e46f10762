// Waiting with a bound, on the injected clock.
import type { Clock } from '../shared/clock.ts';

export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
}

/** Whoever waited does not want it any more. */
export class WaitCancelled extends Error {
  override readonly name = 'WaitCancelled';
}

/**
 * What `work` resolves to, a WaitTimeout once `timeoutMs` have passed, or a WaitCancelled once `outer` is aborted. The signal is aborted then,
 * but the wait ends even if `work` does not heed it.
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const ended = Promise.withResolvers<never>();
  const endWith = (error: Error): void => {
    controller.abort(error);
    ended.reject(error);
  };
  const onCancel = (): void => endWith(new WaitCancelled('nobody waits for it any more'));
  if (outer?.aborted) throw new WaitCancelled('nobody waits for it any more');
  const cancelTimer = clock.setTimeout(() => endWith(new WaitTimeout(`no answer within ${timeoutMs} ms`)), timeoutMs);
  outer?.addEventListener('abort', onCancel);
  try {
    return await Promise.race([work(controller.signal), ended.promise]);
  } finally {
    cancelTimer();
    outer?.removeEventListener('abort', onCancel);
  }
}
