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
  // A plain loop: items are so short that a call of indexOf for each takes longer.
  let items = 0;
  for (let i = 0; i < list.length; i++) {
    if (list[i] === NEWLINE && ++items === limit) return list.subarray(0, i - 1);
  }
  return list;
}
