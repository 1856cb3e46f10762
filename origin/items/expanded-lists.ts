// Lists with what is known of their items. The list is as old as the list, and what is known of its items as old as the oldest of them: whoever
// keeps the answer has to know both. An item that cannot be read now is left as it is rather than the whole list withheld.

import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { ITEM_TTL_MS } from '../../shared/caching/lifetime.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import { makeDigest } from '../bigtable/recommendation-table.ts';
import { expandList, idsOf } from './expand-list.ts';
import type { Item, ItemReader } from './item-reader.ts';

/** `results` of `asks`, those that were asked for with their items expanded; once `cancellation` is gone nothing is read any more. Never rejects. */
export type ExpandLists = (
  asks: readonly ListQuery[],
  results: readonly ListResult[],
  timeoutMs: number,
  cancellation?: Cancellation,
) => Promise<readonly ListResult[]>;

export function createExpandLists({ items, clock }: { items: ItemReader; clock: Clock }): ExpandLists {
  return async (asks, results, timeoutMs, cancellation) => {
    if (!asks.some(({ expand }) => expand !== undefined)) return results;
    const arrivedAtMs = clock.now();
    const lists = asks.map((ask, i) => {
      const result = results[i];
      return ask.expand !== undefined && result?.kind === 'list' ? { result, ids: idsOf(result.bytes) } : undefined;
    });
    const known = await items.read(
      lists.flatMap((list) => list?.ids ?? []),
      timeoutMs,
      cancellation,
    );
    return results.map((result, i) => {
      const list = lists[i];
      return list === undefined ? result : expand(list.result, list.ids, known, arrivedAtMs);
    });
  };
}

function expand(
  list: Extract<ListResult, { kind: 'list' }>,
  ids: readonly string[],
  known: ReadonlyMap<string, Item>,
  arrivedAtMs: number,
): ListResult {
  const bytes = expandList(list.bytes, (id) => known.get(id)?.json);
  // What could not be read now, or not anew, may be there in a moment: such an answer is at the end of its time already.
  const isWhole = ids.every((id) => known.has(id));
  const oldestMs = Math.min(arrivedAtMs, ...ids.map((id) => known.get(id)?.storedAtMs ?? arrivedAtMs));
  const itemsAgeMs = isWhole ? Math.min(arrivedAtMs - oldestMs, ITEM_TTL_MS) : ITEM_TTL_MS;
  return { ...list, bytes, digest: makeDigest(bytes), ...(itemsAgeMs > 0 ? { itemsAgeMs } : {}) };
}
