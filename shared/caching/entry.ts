// What a cache holds for one key, and the state it is in at a moment. An expired entry is never served.

/** A list with the generation it was computed in, or the knowledge that there is none. */
export type ListValue = StoredList | { readonly kind: 'absent' };

export interface StoredList {
  readonly kind: 'list';
  /** In the form of list.ts. */
  readonly bytes: Uint8Array;
  /** When the list was computed, which may be before the generation that was asked for. */
  readonly generation: number;
  /** Names the bytes for ETags, so that only the origin ever hashes them: up to 64 of A-Z a-z 0-9 _ -. */
  readonly digest: string;
}

export interface Entry {
  readonly value: ListValue;
  /** When the call that brought it began, which is before its origin read the table: what was changed until then is in it. */
  readonly storedAtMs: number;
  /** How long it took to get it, in milliseconds: how early a refresh must begin to be in time. */
  readonly loadMs: number;
  /** Served without a second thought before this moment. */
  readonly freshUntilMs: number;
  /** From `freshUntilMs` until here it is served while one refresh runs (stale-while-revalidate, RFC 5861, section 3). */
  readonly revalidateUntilMs: number;
  /** Until here it is served when it cannot be had anew (stale-if-error, RFC 5861, section 4); after it, never. */
  readonly staleUntilMs: number;
}

export type EntryState = 'fresh' | 'stale' | 'expired';

export function stateOf(entry: Entry, nowMs: number): EntryState {
  if (nowMs < entry.freshUntilMs) return 'fresh';
  return nowMs < entry.staleUntilMs ? 'stale' : 'expired';
}

/** Whether a stale entry may be served before its refresh has come. */
export const withinRevalidation = (entry: Entry, nowMs: number): boolean => nowMs < entry.revalidateUntilMs;

/** `value` in memory of its own. A list read from an answer is a view of the whole answer: kept or sent as it is, all of that would go with it. */
export const ownBytes = (value: ListValue): ListValue =>
  value.kind === 'list' && value.bytes.byteLength < value.bytes.buffer.byteLength
    ? { ...value, bytes: value.bytes.slice() }
    : value;
