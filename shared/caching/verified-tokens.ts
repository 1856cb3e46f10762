// Verified bearer tokens, so that the next request with the same token costs no signature check.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../runtime/clock.ts';

export interface VerifiedTokens<T> {
  /** The result of an earlier verification of `authorization`, until its end. */
  get(authorization: string | undefined): T | undefined;
  set(authorization: string, verified: T, untilMs: number): void;
}

/** Remembers up to `maxTokens` headers; the least recently used goes first. */
export function createVerifiedTokens<T extends object>(clock: Clock, maxTokens: number): VerifiedTokens<T> {
  const tokens = new LRUCache<string, { readonly verified: T; readonly untilMs: number }>({ max: maxTokens });
  return {
    get: (authorization) => {
      const known = authorization === undefined ? undefined : tokens.get(authorization);
      return known !== undefined && clock.now() < known.untilMs ? known.verified : undefined;
    },
    set: (authorization, verified, untilMs) => {
      tokens.set(authorization, { verified, untilMs });
    },
  };
}
