// The stored form of a list: its items as JSON objects joined by `,\n`, without the outer brackets. `[` + value + `]` is the JSON
// array and the first n items are the bytes before the n-th newline, so no tier ever parses or re-serialises a list.

/** The most items a list holds, which is also the most that one read can ask for. */
export const MAX_ITEMS = 100;
export const DEFAULT_LIMIT = 50;
export const ITEM_SEPARATOR = ',\n';

const NEWLINE = 0x0a;

/** The canonical form of one item. `score` is a JSON number as it stood in the source: 1.0 stays 1.0. */
export const encodeItem = (id: string, score: string): string => `{"id":"${id}","score":${score}}`;

/** The first `limit` items of a stored list, as a view of the same memory. */
export function cutList(list: Uint8Array, limit: number): Uint8Array {
  const end = limit === DEFAULT_LIMIT ? defaultEndOf(list) : findEnd(list, limit);
  return end === list.length ? list : list.subarray(0, end);
}

/** Where lists end at the limit that nearly all ask for: they never change, and to look for it takes longer than all else of a read in a batch. */
const defaultEnds = new WeakMap<Uint8Array, number>();

function defaultEndOf(list: Uint8Array): number {
  const known = defaultEnds.get(list);
  if (known !== undefined) return known;
  const end = findEnd(list, DEFAULT_LIMIT);
  defaultEnds.set(list, end);
  return end;
}

/** A plain loop: items are so short that a call of indexOf for each takes longer. */
function findEnd(list: Uint8Array, limit: number): number {
  let items = 0;
  for (let i = 0; i < list.length; i++) {
    if (list[i] === NEWLINE && ++items === limit) return i - 1;
  }
  return list.length;
}
