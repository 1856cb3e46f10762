// Lifetimes of entries, and the moment of an early refresh. Lifetimes carry jitter, so entries that were loaded
// together do not expire together. A hot key is refreshed early by chance, so its expiry is never a herd.
import type { ListValue } from '../domain/list.ts';
import type { Random } from '../runtime/random.ts';
import { type Entry, ownBytes } from './entry.ts';

/** Short, because a user without a list gets one with the next load. */
export const ABSENT_TTL_MS = 30_000;
/** Maximum time beyond fresh that a list is served during its refresh. It is never longer than the fresh time. */
export const MAX_REVALIDATE_WINDOW_MS = 3_600_000;
/** Time beyond fresh that a list is kept for failed loads (stale-if-error). */
export const STALE_WINDOW_MS = 86_400_000;
/** The same for an absent entry, which a later load can make wrong. */
export const ABSENT_STALE_WINDOW_MS = 600_000;
/**
 * Fresh time of an item's metadata, in an origin's memory and in an expanded list together. A list under a generation
 * is immutable, its items' metadata is not.
 */
export const ITEM_TTL_MS = 300_000;
/** Maximum share of a lifetime that jitter subtracts. It never adds. */
export const JITTER = 0.1;

interface EntryTimes extends Pick<Entry, 'storedAtMs' | 'loadMs'> {
  /** `storedAtMs` of the oldest item of an expanded list. Default: the list is not expanded. */
  readonly itemsStoredAtMs?: number | undefined;
}

/**
 * The entry of `value`, loaded in `loadMs` by a call that started at `storedAtMs`. `ttlSeconds` is the maximum fresh
 * time of a list. A list from an origin's memory can be stale already.
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
    // An absent entry is never served during its refresh: a list may exist by now.
    revalidateUntilMs: freshUntilMs + (isAbsent ? 0 : Math.min(ttlMs, MAX_REVALIDATE_WINDOW_MS)),
    staleUntilMs: freshUntilMs + (isAbsent ? ABSENT_STALE_WINDOW_MS : STALE_WINDOW_MS),
  };
}

/**
 * Whether to refresh a fresh entry now: XFetch with beta 1. The probability grows towards the end of the lifetime and
 * with the duration of a load; of many concurrent callers, about one refreshes. Source: A. Vattani, F. Chierichetti, K.
 * Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */
export const shouldRefreshEarly = ({ loadMs, freshUntilMs }: Entry, nowMs: number, random: Random): boolean =>
  nowMs - loadMs * Math.log(1 - random()) >= freshUntilMs;
