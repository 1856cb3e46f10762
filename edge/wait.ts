// Waiting with a bound, on the injected clock.
import type { Clock } from '../shared/clock.ts';

export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
}

/**
 * What `work` resolves to, or a WaitTimeout once `timeoutMs` have passed. The signal is aborted then, but the wait ends even if `work` does
 * not heed it.
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let cancel = (): void => {};
  const timeout = new Promise<never>((_, reject) => {
    cancel = clock.setTimeout(() => {
      const error = new WaitTimeout(`no answer within ${timeoutMs} ms`);
      controller.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(controller.signal), timeout]);
  } finally {
    cancel();
  }
}
