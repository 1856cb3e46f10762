// The stored form of a list: item objects as JSON, joined by `,\n`, without outer brackets. `[` + value + `]` is the
// JSON array. The first n items are the bytes before the n-th newline, so no tier parses or re-serialises a list.

/** A stored list, or the cached fact that the table has none. */
export type ListValue = StoredList | { readonly kind: 'absent' };

export interface StoredList {
  readonly kind: 'list';
  /** The stored form. */
  readonly bytes: Uint8Array;
  /** Generation of the list in ms since the epoch. It can be older than the requested generation. */
  readonly generation: number;
  /** Digest of the bytes for ETags, 1 to 64 of A-Z a-z 0-9 _ -. Only the origin computes it. */
  readonly digest: string;
}

/** Bytes of a list; 0 for an absent one. */
export const bytesOf = (value: ListValue): number => (value.kind === 'list' ? value.bytes.byteLength : 0);

/** Lists of older generations are collected, and not read any more. */
export const DEFAULT_LIST_MAX_AGE_DAYS = 30;
export const MAX_LIST_MAX_AGE_DAYS = 3650;

/** Maximum number of items in a list, and maximum `limit` of a read. */
export const MAX_ITEMS = 100;
export const DEFAULT_LIMIT = 50;
export const ITEM_SEPARATOR = ',\n';

const NEWLINE = 0x0a;

/** The canonical form of one item. `score` is the JSON number as the source spells it: 1.0 stays 1.0. */
export const encodeItem = (id: string, score: string): string => `{"id":"${id}","score":${score}}`;

/** Number of items of a stored list. */
export function countItems(list: Uint8Array): number {
  if (list.length === 0) return 0;
  let items = 1;
  for (let at = list.indexOf(NEWLINE); at !== -1; at = list.indexOf(NEWLINE, at + 1)) items++;
  return items;
}

/** The first `limit` items of a stored list, as a view of the same memory. */
export function cutList(list: Uint8Array, limit: number): Uint8Array {
  const end = endOf(list, limit);
  return end === list.length ? list : list.subarray(0, end);
}

function endOf(list: Uint8Array, limit: number): number {
  if (list.length > LONG_LIST_BYTES) return indexedEndsOf(list)[limit - 1] ?? list.length;
  return limit === DEFAULT_LIMIT ? defaultEndOf(list) : findEnd(list, limit);
}

/** Longer lists have metadata. A scan of each read would let one batch occupy the processor for half a second. */
const LONG_LIST_BYTES = 16_384;

/** The ends of the first items of long lists, without that of the last item. */
const indexedEnds = new WeakMap<Uint8Array, readonly number[]>();

function indexedEndsOf(list: Uint8Array): readonly number[] {
  const known = indexedEnds.get(list);
  if (known !== undefined) return known;
  const ends: number[] = [];
  for (let at = list.indexOf(NEWLINE); at !== -1; at = list.indexOf(NEWLINE, at + 1)) ends.push(at - 1);
  indexedEnds.set(list, ends);
  return ends;
}

/** End offsets at the default limit. A list is immutable, and the scan would dominate the cost of a read in a batch. */
const defaultEnds = new WeakMap<Uint8Array, number>();

function defaultEndOf(list: Uint8Array): number {
  const known = defaultEnds.get(list);
  if (known !== undefined) return known;
  const end = findEnd(list, DEFAULT_LIMIT);
  defaultEnds.set(list, end);
  return end;
}

/** A byte loop: items are short, so one `indexOf` call per item takes longer. */
function findEnd(list: Uint8Array, limit: number): number {
  let items = 0;
  for (let i = 0; i < list.length; i++) {
    if (list[i] === NEWLINE && ++items === limit) return i - 1;
  }
  return list.length;
}
