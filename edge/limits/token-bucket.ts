// Token buckets in the memory of an isolate: one per key, refilled by time, bounded by count. A decision is
// synchronous, because a cache hit cannot wait.
//
// The clock of a worker advances at I/O only. That delays a refill by the CPU time of one request at most.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface Limit {
  /** Tokens per second, above 0. */
  readonly perSecond: number;
  /** Maximum tokens, and the tokens of a new key. */
  readonly burst: number;
}

export interface TokenBuckets {
  /** Takes `tokens` if the bucket has that many, and returns 0. Else returns the milliseconds until it has them. */
  tryTake(key: string, tokens: number, limit: Limit): number;
  /** Takes `tokens` that are already used. The bucket may go below 0, down to minus its burst. */
  take(key: string, tokens: number, limit: Limit): void;
  /** Tokens in the bucket now, rounded down, at least 0. */
  balance(key: string, limit: Limit): number;
}

/** A bucket that is not used is full again after burst / perSecond. Then its eviction loses nothing. */
const MAX_KEYS = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createTokenBuckets(clock: Clock): TokenBuckets {
  // `max` would allocate room for all keys at once: a millisecond for every isolate that starts.
  const buckets = new LRUCache<string, Bucket>({ maxSize: MAX_KEYS, sizeCalculation: () => 1 });

  function refill(key: string, { perSecond, burst }: Limit): Bucket {
    const nowMs = clock.now();
    const bucket = buckets.get(key);
    if (bucket === undefined) {
      const full = { tokens: burst, atMs: nowMs };
      buckets.set(key, full);
      return full;
    }
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    return bucket;
  }

  return {
    tryTake: (key, tokens, limit) => {
      const bucket = refill(key, limit);
      // A request that is larger than the burst passes with a full bucket, and leaves a debt.
      const needed = Math.min(tokens, limit.burst);
      if (bucket.tokens < needed) return Math.max(1, ((needed - bucket.tokens) / limit.perSecond) * 1000);
      bucket.tokens -= tokens;
      return 0;
    },
    take: (key, tokens, limit) => {
      const bucket = refill(key, limit);
      bucket.tokens = Math.max(-limit.burst, bucket.tokens - tokens);
    },
    balance: (key, limit) => Math.max(0, Math.floor(refill(key, limit).tokens)),
  };
}
