// What is known of items, from memory: few items are in many lists, so nearly all are hot. Read anew in the background from half of ITEM_TTL_MS
// on, so that a list that is expanded with them is not stale as soon as it arrives; waited for after all of it, and served older only when
// the table gives nothing. That an item is not known is remembered too.
import { LRUCache } from 'lru-cache';
import { type Cancellation, combineCancellations } from '../../shared/caching/cancellation.ts';
import { ITEM_TTL_MS } from '../../shared/caching/lifetime.ts';
import { createLoadGroup, type LoadGroup } from '../../shared/caching/load-group.ts';
import { createSingleflight } from '../../shared/caching/singleflight.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError, toEarshotError } from '../../shared/wire/errors.ts';
import type { ReadFailure, RecommendationTable } from '../bigtable/recommendation-table.ts';
import type { Guard } from '../guard/guard.ts';

export interface Item {
  /** One JSON object in one line; undefined: there is no such item. */
  readonly json: Uint8Array | undefined;
  /** When the call that read it began. */
  readonly storedAtMs: number;
}

export interface ItemReader {
  /** The items of `ids` by id; those that could not be read are not in it. Of whoever asks, `cancellation` as in lists/list-reader.ts. Never rejects. */
  read(ids: Iterable<string>, timeoutMs: number, cancellation?: Cancellation): Promise<ReadonlyMap<string, Item>>;
  readonly bytes: number;
  readonly entries: number;
}

export interface ItemReaderOptions {
  /** Of ids, items and bookkeeping, in bytes. */
  readonly maxBytes: number;
  readonly table: Pick<RecommendationTable, 'readItems'>;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly flightAgeMs: number;
}

const ENTRY_OVERHEAD_BYTES = 640;
/** From this age on an item is read anew while it is served. */
const REFRESH_AGE_MS = ITEM_TTL_MS / 2;
/** How long it stands in when the table cannot be read. */
const STALE_WINDOW_MS = 86_400_000;

type Loaded = Item | ReadFailure;

/** An item that leaves for the table, and whether anybody waits for it still. */
interface ItemLoad {
  readonly id: string;
  readonly cancellation: Cancellation;
}

export function createItemReader(options: ItemReaderOptions): ItemReader {
  const { maxBytes, table, guard, clock, counters, flightAgeMs } = options;
  const cache = new LRUCache<string, Item>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ json }, id) => ENTRY_OVERHEAD_BYTES + id.length + (json?.byteLength ?? 0),
  });
  const flights = createSingleflight<Loaded>({ clock, ageTimeoutMs: flightAgeMs, isFailure: isFailed });

  async function load(
    ids: readonly string[],
    isBackground: boolean,
    timeoutMs: number,
    cancellation?: Cancellation,
  ): Promise<ReadonlyMap<string, Item>> {
    const group = createLoadGroup((each: readonly ItemLoad[]) => loadFromTable(each, isBackground, timeoutMs));
    const found = new Map<string, Item>();
    const loads = ids.map(async (id) => {
      const item = await loadOne(id, group, timeoutMs, cancellation);
      if (item !== undefined) found.set(id, item);
    });
    group.start();
    await Promise.all(loads);
    return found;
  }

  async function loadOne(
    id: string,
    group: LoadGroup<ItemLoad, Loaded>,
    timeoutMs: number,
    cancellation: Cancellation | undefined,
  ): Promise<Item | undefined> {
    try {
      const { value } = await flights.run(id, {
        load: async (lead) => {
          const loaded = await group.add({ id, cancellation: lead });
          if (!isFailed(loaded) && lead.isCurrent()) cache.set(id, loaded);
          return loaded;
        },
        waitTimeoutMs: timeoutMs,
        keepAlive: () => {},
        cancellation,
      });
      return isFailed(value) ? undefined : value;
    } catch {
      return undefined;
    }
  }

  async function loadFromTable(
    loads: readonly ItemLoad[],
    isBackground: boolean,
    timeoutMs: number,
  ): Promise<Loaded[]> {
    const ids = loads.map(({ id }) => id);
    const cancellations = loads.map(({ cancellation }) => cancellation);
    const all = combineCancellations(cancellations);
    const storedAtMs = clock.now();
    let loaded: Loaded[] | undefined;
    try {
      await guard({ isBackground, weight: ids.length, timeoutMs, cancellation: all }, async (leftMs) => {
        const values = await table.readItems(ids, leftMs, cancellations);
        loaded = values.map((value) => {
          if (value.kind === 'error') return value;
          return { json: value.kind === 'item' ? toOneLine(value.bytes) : undefined, storedAtMs };
        });
        const failure = loaded.find(isFailed);
        // So that the guard does not take a failure that came at once for a quick read, nor a read that was let go of for a slow one.
        const code = all.isCancelled() ? 'unavailable' : failure?.code;
        if (code !== undefined) throw new EarshotError(code, 'table', 'an item could not be read');
      });
    } catch (error) {
      const { code } = toEarshotError(error, 'origin');
      loaded ??= ids.map(() => ({ kind: 'error', code }));
    }
    return loaded ?? [];
  }

  return {
    read: async (ids, timeoutMs, cancellation) => {
      const nowMs = clock.now();
      const found = new Map<string, Item>();
      const missing: string[] = [];
      const due: string[] = [];
      for (const id of new Set(ids)) {
        const held = cache.get(id);
        const ageMs = held === undefined ? Number.POSITIVE_INFINITY : nowMs - held.storedAtMs;
        if (held !== undefined && ageMs < ITEM_TTL_MS + STALE_WINDOW_MS) found.set(id, held);
        if (ageMs >= ITEM_TTL_MS) missing.push(id);
        else if (ageMs >= REFRESH_AGE_MS && !flights.has(id)) due.push(id);
      }
      counters.add('origin_item_reads_total', found.size + missing.length);
      counters.add('origin_item_misses_total', missing.length);
      if (due.length > 0) void load(due, true, timeoutMs);
      if (missing.length > 0)
        for (const [id, item] of await load(missing, false, timeoutMs, cancellation)) found.set(id, item);
      return found;
    },
    get bytes() {
      return cache.calculatedSize;
    },
    get entries() {
      return cache.size;
    },
  };
}

const isFailed = (loaded: Loaded): loaded is ReadFailure => 'kind' in loaded;

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** In memory of its own. In JSON a newline is only ever white space, but in a list it ends an item. */
function toOneLine(json: Uint8Array): Uint8Array {
  const line = new Uint8Array(json);
  for (let i = line.indexOf(NEWLINE); i !== -1; i = line.indexOf(NEWLINE, i + 1)) line[i] = SPACE;
  return line;
}
