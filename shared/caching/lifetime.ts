// How long an entry lives, and when to refresh it before its time. Lifetimes carry jitter, so that what was loaded
// together does not expire together; a hot key is refreshed early by chance, so that its end is never a herd.

import type { ListValue } from '../domain/list.ts';
import type { Random } from '../runtime/random.ts';
import { type Entry, ownBytes } from './entry.ts';

/** A user who has no list yet gets one with the next load: "none" is not believed for long. */
export const ABSENT_TTL_MS = 30_000;
/** How long beyond fresh a list is served while it is refreshed: as long as it was fresh, and at most this. */
export const MAX_REVALIDATE_WINDOW_MS = 3_600_000;
/** How long beyond fresh a list is kept for the time when it cannot be had anew. */
export const STALE_WINDOW_MS = 86_400_000;
/** As long for the knowledge that there is no list, which a load may have made wrong meanwhile. */
export const ABSENT_STALE_WINDOW_MS = 600_000;
/**
 * How long what is known of an item is fresh, in an origin's memory and in an expanded list together: a list under a
 * generation never changes, what is known of its items does.
 */
export const ITEM_TTL_MS = 300_000;
/** The share of a lifetime that jitter may take off; it never adds. */
export const JITTER = 0.1;

interface EntryTimes extends Pick<Entry, 'storedAtMs' | 'loadMs'> {
  /** The `storedAtMs` of the oldest item of an expanded list. Default: the list is not expanded. */
  readonly itemsStoredAtMs?: number | undefined;
}

/**
 * `value` as it is stored: read by a call that began at `storedAtMs`, got in `loadMs`; `ttlSeconds` is how long a list
 * is fresh at most. What comes from an origin's memory may be stale already.
 */
export function makeEntry(
  value: ListValue,
  ttlSeconds: number,
  { storedAtMs, loadMs, itemsStoredAtMs }: EntryTimes,
  random: Random,
): Entry {
  const isAbsent = value.kind === 'absent';
  const itemsAtMs = isAbsent ? undefined : itemsStoredAtMs;
  const listTtlMs = isAbsent ? Math.min(ABSENT_TTL_MS, ttlSeconds * 1000) : ttlSeconds * 1000;
  const ttlMs = itemsAtMs === undefined ? listTtlMs : Math.min(listTtlMs, ITEM_TTL_MS);
  const share = 1 - JITTER * random();
  const listUntilMs = storedAtMs + Math.ceil(listTtlMs * share);
  const freshUntilMs =
    itemsAtMs === undefined ? listUntilMs : Math.min(listUntilMs, itemsAtMs + Math.ceil(ITEM_TTL_MS * share));
  return {
    value: ownBytes(value),
    storedAtMs,
    loadMs,
    freshUntilMs,
    // Where a list may have come meanwhile, it is worth waiting for.
    revalidateUntilMs: freshUntilMs + (isAbsent ? 0 : Math.min(ttlMs, MAX_REVALIDATE_WINDOW_MS)),
    staleUntilMs: freshUntilMs + (isAbsent ? ABSENT_STALE_WINDOW_MS : STALE_WINDOW_MS),
  };
}

/**
 * Whether a fresh entry should be refreshed now: XFetch with beta 1. The nearer its end and the longer it takes to get,
 * the likelier; of many who ask at the same time, about one does it. Source: A. Vattani, F. Chierichetti, K.
 * Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */
export const shouldRefreshEarly = ({ loadMs, freshUntilMs }: Entry, nowMs: number, random: Random): boolean =>
  nowMs - loadMs * Math.log(1 - random()) >= freshUntilMs;
