// Verified tokens, so that the next request with the same token costs no signature check. The key is the token itself
// in its one canonical form: a digest would have to be awaited on every hit.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../runtime/clock.ts';

export interface VerifiedTokens<T> {
  /** The result of an earlier verification of `token`, until its end. */
  get(token: string | undefined): T | undefined;
  set(token: string, verified: T, untilMs: number): void;
}

/** Bytes of an entry besides its key: the identity with its scopes, and the bookkeeping of the cache. */
const ENTRY_OVERHEAD_BYTES = 1_024;
const DEFAULT_MAX_BYTES = 4_194_304;

/**
 * Remembers up to `maxTokens` tokens in up to `maxBytes` of keys and overhead; the least recently used goes first.
 * Default of `maxBytes`: 4 MiB.
 */
export function createVerifiedTokens<T extends object>(
  clock: Clock,
  maxTokens: number,
  maxBytes = DEFAULT_MAX_BYTES,
): VerifiedTokens<T> {
  const tokens = new LRUCache<string, { readonly verified: T; readonly untilMs: number }>({
    max: maxTokens,
    maxSize: maxBytes,
    sizeCalculation: (_, token) => token.length + ENTRY_OVERHEAD_BYTES,
  });
  return {
    get: (token) => {
      const known = token === undefined ? undefined : tokens.get(token);
      return known !== undefined && clock.now() < known.untilMs ? known.verified : undefined;
    },
    set: (token, verified, untilMs) => {
      tokens.set(token, { verified, untilMs });
    },
  };
}
