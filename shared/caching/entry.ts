// A cache entry and its state at a moment. An expired entry is never served.
import type { ListValue } from '../domain/list.ts';

export interface Entry {
  readonly value: ListValue;
  /**
   * Start of the call that loaded the entry. The call read the table later, so the entry contains all changes before
   * this moment.
   */
  readonly storedAtMs: number;
  /** Duration of the load in milliseconds. XFetch uses it to start a refresh early enough. */
  readonly loadMs: number;
  /** The entry is fresh before this moment. */
  readonly freshUntilMs: number;
  /**
   * Before this moment a stale entry is served while one refresh runs (stale-while-revalidate, RFC 5861, section 3).
   */
  readonly revalidateUntilMs: number;
  /**
   * Before this moment a stale entry is served when the load fails (stale-if-error, RFC 5861, section 4). Later the
   * entry is expired.
   */
  readonly staleUntilMs: number;
}

export type EntryState = 'fresh' | 'stale' | 'expired';

/** `ttlSeconds`: maximum fresh time of the reader, which may be shorter than that of the load. Default: the entry's. */
export function stateOf(entry: Entry, nowMs: number, ttlSeconds = Number.POSITIVE_INFINITY): EntryState {
  if (nowMs < entry.freshUntilMs && nowMs < entry.storedAtMs + ttlSeconds * 1000) return 'fresh';
  return nowMs < entry.staleUntilMs ? 'stale' : 'expired';
}

/** Whether a stale entry may be served while its refresh runs. */
export const withinRevalidation = (entry: Entry, nowMs: number): boolean => nowMs < entry.revalidateUntilMs;

/**
 * `value` with bytes in a buffer of their own. A decoded list is a view of the whole response, which it would keep in
 * memory.
 */
export const ownBytes = (value: ListValue): ListValue =>
  value.kind === 'list' && value.bytes.byteLength < value.bytes.buffer.byteLength
    ? { ...value, bytes: value.bytes.slice() }
    : value;
