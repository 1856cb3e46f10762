// Per-key back-off after a failed load. It applies only while a stale entry can be served; a key without one is always
// loaded.
import { LRUCache } from 'lru-cache';
import type { CacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { LoadFailure } from './list-source.ts';

export interface KeyBackoff {
  /** The failure to report instead of a load; undefined if the key may be loaded. */
  rejectionReason(cacheKey: CacheKey, isBackground: boolean): LoadFailure | undefined;
  /** Starts the back-off of a key whose load failed. */
  recordFailure(cacheKey: CacheKey, failure: LoadFailure): void;
  recordSuccess(cacheKey: CacheKey): void;
}

/** Back-off in milliseconds if the source names none. */
const DEFAULT_BACKOFF_MS = 1_000;
const MAX_KEYS = 10_000;

interface Backoff {
  readonly untilMs: number;
  /** After a shed background load the back-off applies to background loads alone. */
  readonly isBackgroundOnly: boolean;
}

export function createKeyBackoff(clock: Clock): KeyBackoff {
  // `max` would allocate room for all keys at once: a millisecond for every isolate and object that starts.
  const backoffs = new LRUCache<CacheKey, Backoff>({ maxSize: MAX_KEYS, sizeCalculation: () => 1 });

  return {
    rejectionReason: (cacheKey, isBackground) => {
      const backoff = backoffs.get(cacheKey);
      if (backoff === undefined || clock.now() >= backoff.untilMs) return undefined;
      if (!backoff.isBackgroundOnly) return { reason: 'region-unavailable' };
      return isBackground ? { reason: 'background-shed' } : undefined;
    },
    recordFailure: (cacheKey, { reason, retryAfterMs = DEFAULT_BACKOFF_MS }) => {
      backoffs.set(cacheKey, { untilMs: clock.now() + retryAfterMs, isBackgroundOnly: reason === 'background-shed' });
    },
    recordSuccess: (cacheKey) => {
      backoffs.delete(cacheKey);
    },
  };
}
