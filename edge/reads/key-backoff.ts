// Which keys the source has just failed for, so that it is left alone with them for a while. Only those are held back for whom there is something
// stale to serve; who has nothing asks all the same.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { LoadFailure } from '../upstream/region-reader.ts';

export interface Refusals {
  /** Why the source is not asked for the key now; undefined when it may be. */
  whyNotAsk(cacheKey: string, isBackground: boolean): LoadFailure | undefined;
  /** The source was asked for the key, and gave nothing. */
  note(cacheKey: string, failure: LoadFailure): void;
  forget(cacheKey: string): void;
}

/** For how long, when the source does not say. */
const RETRY_AFTER_MS = 1_000;
const MAX_KEPT = 10_000;

/** From when on a key may be asked for again; when it was shed, that holds for those alone for whom nobody waits. */
interface Refusal {
  readonly untilMs: number;
  readonly isShed: boolean;
}

export function createRefusals(clock: Clock): Refusals {
  // `max` instead would set room for all of them aside at once: a millisecond of every isolate and object that starts.
  const refusals = new LRUCache<string, Refusal>({ maxSize: MAX_KEPT, sizeCalculation: () => 1 });

  return {
    whyNotAsk: (cacheKey, isBackground) => {
      const refusal = refusals.get(cacheKey);
      if (refusal === undefined || clock.now() >= refusal.untilMs || (refusal.isShed && !isBackground))
        return undefined;
      return { isRegionAtFault: !refusal.isShed, isShed: refusal.isShed };
    },
    note: (cacheKey, { isShed = false, retryAfterMs = RETRY_AFTER_MS }) => {
      refusals.set(cacheKey, { untilMs: clock.now() + retryAfterMs, isShed });
    },
    forget: (cacheKey) => {
      refusals.delete(cacheKey);
    },
  };
}
