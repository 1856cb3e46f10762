// Reads the metadata of items from memory, and loads missing items. From half of ITEM_TTL_MS on an item is refreshed in
// the background, so that an expanded list is not stale on arrival. After ITEM_TTL_MS it is loaded; an older item is
// served only if that fails. Absence is cached, too.
import { BoundedMemory } from '../../shared/caching/bounded-memory.ts';
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { ITEM_TTL_MS, STALE_WINDOW_MS } from '../../shared/caching/lifetime.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { createItemLoad, type Item, type ItemLoadOptions, makeItemCacheKey } from './item-load.ts';

export type { Item } from './item-load.ts';

export interface ItemReader {
  /**
   * The items by id, without those that could not be read: of `release` or the newest before it, or the newest of all.
   * `cancellation` as in ListReader. Never rejects.
   */
  read(
    ids: Iterable<string>,
    release: number | undefined,
    timeoutMs: number,
    cancellation?: Cancellation,
  ): Promise<ReadonlyMap<string, Item>>;
  readonly bytes: number;
  readonly entries: number;
}

export interface ItemReaderOptions extends ItemLoadOptions {
  /** Bytes of ids, items and overhead. */
  readonly maxBytes: number;
  readonly counters: Counters;
}

const REFRESH_AGE_MS = ITEM_TTL_MS / 2;

export function createItemReader(options: ItemReaderOptions): ItemReader {
  const { maxBytes, clock, counters } = options;
  const memory = new BoundedMemory<string, Item>(maxBytes, ({ json }) => json?.byteLength ?? 0);
  const { flights, loadItems } = createItemLoad(memory, options);

  return {
    read: async (ids, release, timeoutMs, cancellation) => {
      const nowMs = clock.now();
      const found = new Map<string, Item>();
      const missing: string[] = [];
      const due: string[] = [];
      for (const id of new Set(ids)) {
        const cacheKey = makeItemCacheKey({ id, release });
        const cached = memory.get(cacheKey);
        const ageMs = cached === undefined ? Number.POSITIVE_INFINITY : nowMs - cached.storedAtMs;
        if (cached !== undefined && ageMs < ITEM_TTL_MS + STALE_WINDOW_MS) found.set(id, cached);
        if (ageMs >= ITEM_TTL_MS) missing.push(id);
        else if (ageMs >= REFRESH_AGE_MS && !flights.has(cacheKey)) due.push(id);
      }
      counters.add('origin_item_reads_total', found.size + missing.length);
      counters.add('origin_item_misses_total', missing.length);
      if (due.length > 0) void loadItems(due, release, { isBackground: true, timeoutMs });
      if (missing.length === 0) return found;
      const loaded = await loadItems(missing, release, { isBackground: false, timeoutMs, cancellation });
      for (const [id, item] of loaded) found.set(id, item);
      return found;
    },
    get bytes() {
      return memory.bytes;
    },
    get entries() {
      return memory.entries;
    },
  };
}
