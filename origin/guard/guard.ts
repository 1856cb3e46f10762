// The guard as loads see it: it admits work when the bulkhead has room.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';
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
    try {
      return await bulkhead.run({ ...request, priority: isBackground ? 'background' : 'foreground' }, work);
    } catch (error) {
      if (error instanceof ShedError) retryAfterSeconds = error.retryAfterSeconds;
      throw error;
    }
  };
  return { guard, retryAfterSeconds: () => retryAfterSeconds };
}

/**
 * Throws inside guarded work that failed or was cancelled. Otherwise the guard would take a fast failure for a fast
 * read, or a cancelled read for a slow one.
 */
export function assertRead(failure: ErrorCode | undefined, cancellation: Cancellation | undefined): void {
  const code = cancellation?.isCancelled() ? 'unavailable' : failure;
  if (code !== undefined) throw new EarshotError(code, 'table', 'a guarded read failed');
}
