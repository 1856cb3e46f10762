// The rate-limit binding of Cloudflare: one count per location, inexact and asynchronous. Only reads that leave the
// isolate ask it, because a hit cannot wait. A binding that fails or is slow admits the request, and is counted.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { withTimeout } from '../request/with-timeout.ts';

/** The binding's own interface. */
export interface RateLimiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** Rejects with `rate_limited` if the location has no more for `key`. */
export type LocationLimit = (key: string) => Promise<void>;

/** A location answers within a few milliseconds. */
const LIMITER_TIMEOUT_MS = 50;
/** The shorter of the binding's two periods. */
const RETRY_AFTER_SECONDS = 10;

interface LocationLimitOptions {
  /** Undefined without the binding: then the isolate's own limits are the only ones. */
  readonly limiter: RateLimiter | undefined;
  readonly clock: Clock;
  readonly counters: Counters;
}

export function createLocationLimit({ limiter, clock, counters }: LocationLimitOptions): LocationLimit {
  if (limiter === undefined) return async () => {};

  const isAdmitted = async (key: string): Promise<boolean> => {
    try {
      return (await withTimeout(clock, LIMITER_TIMEOUT_MS, () => limiter.limit({ key }))).success;
    } catch {
      counters.add('edge_limiter_errors_total');
      return true;
    }
  };

  return async (key) => {
    if (await isAdmitted(key)) return;
    counters.add('edge_limited_locations_total');
    throw new EarshotError('rate_limited', 'edge', 'the limit of this caller is reached at this location', {
      headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
    });
  };
}
