// The guard as loads see it: it admits work when the bulkhead has room.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';
import { currentTrace, keepTrace } from '../tracing/request-trace.ts';
import type { Bulkhead, BulkheadRequest } from './bulkhead.ts';
import { ShedError } from './shed-error.ts';

/** Starts `work` when there is room, with the milliseconds left. Rejects with an EarshotError without room in time. */
export type Guard = <T>(request: GuardRequest, work: (leftMs: number) => Promise<T>) => Promise<T>;

export interface GuardRequest extends Omit<BulkheadRequest, 'priority'> {
  readonly isBackground: boolean;
}

/** `retryAfterSeconds`: whole seconds after which a shed caller may retry. */
export function createGuard(bulkhead: Bulkhead): { readonly guard: Guard; readonly retryAfterSeconds: () => number } {
  let retryAfterSeconds = 1;
  const guard: Guard = async ({ isBackground, ...request }, work) => {
    const { start, endQueue } = traceQueue(request.weight, work);
    try {
      return await bulkhead.run({ ...request, priority: isBackground ? 'background' : 'foreground' }, start);
    } catch (error) {
      if (error instanceof ShedError) retryAfterSeconds = error.retryAfterSeconds;
      endQueue(error as Error);
      throw error;
    }
  };
  return { guard, retryAfterSeconds: () => retryAfterSeconds };
}

/** `work` for the bulkhead, which starts it when another read ends. The wait is a span of a recorded request. */
function traceQueue<T>(keys: number, work: (leftMs: number) => Promise<T>) {
  let queued = currentTrace()?.start('queue', { 'earshot.keys': keys });
  const endQueue = (error?: Error): void => {
    queued?.end(error);
    queued = undefined;
  };
  if (queued === undefined) return { start: work, endQueue };
  const start = keepTrace((leftMs: number) => {
    endQueue();
    return work(leftMs);
  });
  return { start, endQueue };
}

/**
 * Throws inside guarded work that failed or was cancelled. Otherwise the guard would take a fast failure for a fast
 * read, or a cancelled read for a slow one.
 */
export function assertRead(failure: ErrorCode | undefined, cancellation: Cancellation | undefined): void {
  const code = cancellation?.isCancelled() ? 'unavailable' : failure;
  if (code !== undefined) throw new EarshotError(code, 'table', 'a guarded read failed');
}
