// Loads items from the table, each once for all requests that wait for it. The items of one request leave in one call.
import type { BoundedMemory } from '../../shared/caching/bounded-memory.ts';
import { type Cancellation, combineCancellations } from '../../shared/caching/cancellation.ts';
import { createLoadGroup, type LoadGroup } from '../../shared/caching/load-group.ts';
import { createSingleflight, type Singleflight } from '../../shared/caching/singleflight.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { toEarshotError } from '../../shared/wire/errors.ts';
import type { ItemKey, RecommendationTable } from '../bigtable/recommendation-table.ts';
import { type ItemValue, isReadFailure, type ReadFailure } from '../bigtable/stored-values.ts';
import { assertRead, type Guard } from '../guard/guard.ts';

export interface Item {
  /** One JSON object in one line; undefined if the item does not exist. */
  readonly json: Uint8Array | undefined;
  /** Start of the call that read the item. */
  readonly storedAtMs: number;
}

type LoadResult = Item | ReadFailure;

interface ItemLoad extends ItemKey {
  readonly cancellation: Cancellation;
}

export interface ItemLoadOptions {
  readonly table: Pick<RecommendationTable, 'readItems'>;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly flightAgeMs: number;
}

export interface LoadOptions {
  readonly isBackground: boolean;
  readonly timeoutMs: number;
  readonly cancellation?: Cancellation | undefined;
}

/** The loaded items by id, without those that could not be read. Never rejects. */
export type LoadItems = (
  ids: readonly string[],
  release: number | undefined,
  options: LoadOptions,
) => Promise<ReadonlyMap<string, Item>>;

/** The key of an item in memory. Ids contain no `/`. */
export const makeItemCacheKey = ({ id, release }: ItemKey): string => (release === undefined ? id : `${id}/${release}`);

export function createItemLoad(
  memory: BoundedMemory<string, Item>,
  options: ItemLoadOptions,
): { readonly loadItems: LoadItems; readonly flights: Singleflight<LoadResult, string> } {
  const { clock, flightAgeMs } = options;
  const flights = createSingleflight<LoadResult, string>({
    clock,
    ageTimeoutMs: flightAgeMs,
    isFailure: isReadFailure,
  });

  async function loadItem(
    item: ItemKey,
    group: LoadGroup<ItemLoad, LoadResult>,
    { timeoutMs, cancellation }: LoadOptions,
  ): Promise<Item | undefined> {
    const cacheKey = makeItemCacheKey(item);
    try {
      const { value } = await flights.run(cacheKey, {
        load: async (lead) => {
          const loaded = await group.add({ ...item, cancellation: lead });
          if (!isReadFailure(loaded) && lead.isCurrent()) memory.set(cacheKey, loaded);
          return loaded;
        },
        waitTimeoutMs: timeoutMs,
        keepAlive: () => {},
        cancellation,
      });
      return isReadFailure(value) ? undefined : value;
    } catch {
      return undefined;
    }
  }

  async function loadItems(
    ids: readonly string[],
    release: number | undefined,
    load: LoadOptions,
  ): Promise<ReadonlyMap<string, Item>> {
    const group = createLoadGroup((loads: readonly ItemLoad[]) => loadFromTable(options, loads, load));
    const found = new Map<string, Item>();
    const loads = ids.map(async (id) => {
      const item = await loadItem({ id, release }, group, load);
      if (item !== undefined) found.set(id, item);
    });
    group.start();
    await Promise.all(loads);
    return found;
  }

  return { flights, loadItems };
}

async function loadFromTable(
  { table, guard, clock }: ItemLoadOptions,
  loads: readonly ItemLoad[],
  { isBackground, timeoutMs }: LoadOptions,
): Promise<LoadResult[]> {
  const cancellations = loads.map(({ cancellation }) => cancellation);
  const cancellation = combineCancellations(cancellations);
  const storedAtMs = clock.now();
  let loaded: LoadResult[] | undefined;
  try {
    await guard({ isBackground, weight: loads.length, timeoutMs, cancellation }, async (leftMs) => {
      const values = await table.readItems(loads, leftMs, cancellations);
      loaded = values.map((value) => toLoadResult(value, storedAtMs));
      assertRead(loaded.find(isReadFailure)?.code, cancellation);
    });
  } catch (error) {
    const { code } = toEarshotError(error, 'origin');
    loaded ??= loads.map(() => ({ kind: 'error', code }));
  }
  return loaded ?? [];
}

function toLoadResult(value: ItemValue | ReadFailure, storedAtMs: number): LoadResult {
  if (value.kind === 'error') return value;
  return { json: value.kind === 'item' ? toOneLine(value.bytes) : undefined, storedAtMs };
}

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** A copy in one line. In JSON a newline is only white space, but in a list it ends an item. */
function toOneLine(json: Uint8Array): Uint8Array {
  const line = new Uint8Array(json);
  for (let i = line.indexOf(NEWLINE); i !== -1; i = line.indexOf(NEWLINE, i + 1)) line[i] = SPACE;
  return line;
}
