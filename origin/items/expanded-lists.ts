// Expands lists with the metadata of their items. An expanded list has two ages: its own, and that of its oldest item.
// A list is served without the metadata of items that cannot be read.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { ITEM_TTL_MS } from '../../shared/caching/lifetime.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { chooseLeftOut, TOO_LARGE } from '../../shared/wire/bounded-results.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { bytesOfResult, type ListResult } from '../../shared/wire/read-response.ts';
import { makeDigest } from '../bigtable/stored-values.ts';
import { expandedBytesOf, expandList, idsOf } from './expand-list.ts';
import type { Item, ItemReader } from './item-reader.ts';

/** Expands the `results` whose query asks for it. After `cancellation` fires, no item is read. Never rejects. */
export type ExpandLists = (
  queries: readonly ListQuery[],
  results: readonly ListResult[],
  timeoutMs: number,
  cancellation?: Cancellation,
) => Promise<readonly ListResult[]>;

export function createExpandLists({ items, clock }: { items: ItemReader; clock: Clock }): ExpandLists {
  return async (queries, results, timeoutMs, cancellation) => {
    if (!queries.some(({ expand }) => expand !== undefined)) return results;
    const arrivedAtMs = clock.now();
    const lists = queries.map((query, i) => {
      const result = results[i];
      return query.expand !== undefined && result?.kind === 'list' ? { result, ids: idsOf(result.bytes) } : undefined;
    });
    const releases = Map.groupBy(lists.keys(), (i) => queries[i]?.items);
    const byRelease = new Map<number | undefined, ReadonlyMap<string, Item>>();
    const readRelease = async ([release, places]: [number | undefined, number[]]): Promise<void> => {
      const ids = places.flatMap((i) => lists[i]?.ids ?? []);
      byRelease.set(release, await items.read(ids, release, timeoutMs, cancellation));
    };
    await Promise.all([...releases].map(readRelease));
    const itemsOf = (i: number): ReadonlyMap<string, Item> => byRelease.get(queries[i]?.items) ?? NO_ITEMS;
    const sizes = results.map((result, i) => {
      const list = lists[i];
      if (list === undefined) return bytesOfResult(result);
      return expandedBytesOf(list.result.bytes, list.ids, (id) => itemsOf(i).get(id)?.json);
    });
    // A list beyond the bound of an answer is not composed at all.
    const leftOut = chooseLeftOut(sizes);
    return results.map((result, i) => {
      const list = lists[i];
      if (list === undefined) return result;
      return leftOut.has(i) ? TOO_LARGE : expand(list.result, list.ids, itemsOf(i), arrivedAtMs);
    });
  };
}

const NO_ITEMS: ReadonlyMap<string, Item> = new Map();

function expand(
  list: Extract<ListResult, { kind: 'list' }>,
  ids: readonly string[],
  itemsById: ReadonlyMap<string, Item>,
  arrivedAtMs: number,
): ListResult {
  const bytes = expandList(list.bytes, (id) => itemsById.get(id)?.json);
  // A missing item may be readable in a moment, so a list without it counts as being at the end of its lifetime.
  const isWhole = ids.every((id) => itemsById.has(id));
  const oldestMs = Math.min(arrivedAtMs, ...ids.map((id) => itemsById.get(id)?.storedAtMs ?? arrivedAtMs));
  const itemsAgeMs = isWhole ? Math.min(arrivedAtMs - oldestMs, ITEM_TTL_MS) : ITEM_TTL_MS;
  return { ...list, bytes, digest: makeDigest(bytes), ...(itemsAgeMs > 0 ? { itemsAgeMs } : {}) };
}
