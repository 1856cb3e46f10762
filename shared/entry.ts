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
  readonly storedAtMs: number;
  /** Served without a second thought before this moment. */
  readonly freshUntilMs: number;
  /** From `freshUntilMs` until here it may be served while it is refreshed, or when that fails; after it, never. */
  readonly staleUntilMs: number;
}

export type EntryState = 'fresh' | 'stale' | 'expired';

export function stateOf(entry: Entry, nowMs: number): EntryState {
  if (nowMs < entry.freshUntilMs) return 'fresh';
  return nowMs < entry.staleUntilMs ? 'stale' : 'expired';
}
