// Lists and items in Bigtable. The failure of one key does not affect the others: each key has its own result.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { type ListKey, makeItemRowKey, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { DEFAULT_LIST_MAX_AGE_DAYS, type ListValue } from '../../shared/domain/list.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { type Random, systemRandom } from '../../shared/runtime/random.ts';
import { createRetryBudget } from '../../shared/runtime/retry-budget.ts';
import { type BigtableAddress, instanceNameOf } from './connection.ts';
import { createLocalCluster, type LocalCluster } from './local-cluster.ts';
import { type CallObserver, NO_OBSERVER } from './reads/call-observer.ts';
import { closedError, ReadChannels } from './reads/channels.ts';
import { createHedgeDelay } from './reads/hedge-delay.ts';
import { readAll } from './reads/read-all.ts';
import { type BatchKey, ReadQueue } from './reads/read-queue.ts';
import {
  ABSENT,
  type ItemValue,
  newestItem,
  newestListAtOrBefore,
  oldestReadable,
  type ReadFailure,
  toItemValue,
  toListValue,
} from './stored-values.ts';

export interface ItemKey {
  readonly id: string;
  /** Read the newest metadata of this release or an earlier one. Undefined: the newest. */
  readonly release: number | undefined;
}

export interface RecommendationTable {
  /**
   * One result per key, in order. Bytes are views of larger memory. Never rejects: a failure is an `error` result. A
   * key is given up when the cancellation at its place fires.
   */
  readLists(
    keys: readonly ListKey[],
    timeoutMs: number,
    cancellations?: readonly Cancellation[],
  ): Promise<(ListValue | ReadFailure)[]>;
  /** One result per item, as `readLists`. An item is one JSON object. */
  readItems(
    items: readonly ItemKey[],
    timeoutMs: number,
    cancellations?: readonly Cancellation[],
  ): Promise<(ItemValue | ReadFailure)[]>;
  /** Number of rows waiting for a call. */
  waiting(): number;
  /** Opens and primes the connections. Rejects with an EarshotError of source `table`; it may be called again. */
  warm(): Promise<void>;
  /** Whether all connections have been primed. */
  isWarm(): boolean;
  close(): Promise<void>;
}

export interface RecommendationTableOptions {
  readonly address: BigtableAddress;
  /** App profile of the reads, for example `serve-europe`. */
  readonly appProfile: string;
  /** App profile of hedges, and of all calls while the local cluster is ejected. Undefined: neither. */
  readonly hedgeProfile?: string | undefined;
  /** State of the cluster of `appProfile`. Default: its own. */
  readonly localCluster?: LocalCluster;
  /** Lists of older generations are not read, in milliseconds. Default: DEFAULT_LIST_MAX_AGE_DAYS. */
  readonly listMaxAgeMs?: number;
  /** Number of connections. Default: 2. */
  readonly channels?: number;
  /** Calls of one surface, variant and generation in flight. Default: 2. */
  readonly callsPerBatchKey?: number;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Default: the system's random numbers. */
  readonly random?: Random;
  /** Default: setImmediate. */
  readonly defer?: (run: () => void) => void;
  /** Observer of the calls on a table. Default: none. */
  readonly observerOf?: (table: string) => CallObserver;
  /** Called for each failed read and each connection that could not be opened. */
  readonly onError: (error: unknown) => void;
}

/** Latency grows faster than the number of keys in a call; more keys go in several calls in parallel. */
export const MAX_KEYS_PER_CALL = 100;
export const DEFAULT_CHANNELS = 2;
export const DEFAULT_CALLS_PER_BATCH_KEY = 2;
/** Hedges and retries as a share of the keys read. The reserve covers the calls of a connection that breaks. */
const EXTRA_READS = { share: 0.05, reserve: 400 };
const MAX_RETRIES = 3;
export const DAY_MS = 86_400_000;
const DEFAULT_LIST_MAX_AGE_MS = DEFAULT_LIST_MAX_AGE_DAYS * DAY_MS;

export function createRecommendationTable(options: RecommendationTableOptions): RecommendationTable {
  const { clock = systemClock, listMaxAgeMs = DEFAULT_LIST_MAX_AGE_MS, onError } = options;
  const { channels, lists, items } = openQueues(options);
  const tables = `${instanceNameOf(options.address)}/tables`;
  const makeItemsBatchKey = (release: number | undefined): BatchKey => ({
    name: `items/${release ?? 'newest'}`,
    tableName: `${tables}/${TABLES.items}`,
    filter: newestItem(release),
  });

  function makeListQueries(keys: readonly ListKey[], oldest: number) {
    const batchKeys = new Map<string, BatchKey>();
    return keys.map((key) => {
      const name = `${key.surface}/${key.variant}/${key.generation}/${oldest}`;
      let batchKey = batchKeys.get(name);
      if (batchKey === undefined) {
        const filter = newestListAtOrBefore(key, oldest);
        batchKey = { name, tableName: `${tables}/${TABLES.recommendations}`, filter };
        batchKeys.set(name, batchKey);
      }
      return { batchKey, rowKey: makeRowKey(key.user) };
    });
  }

  const readLists: RecommendationTable['readLists'] = async (keys, timeoutMs, cancellations) => {
    const oldest = oldestReadable(clock.now(), listMaxAgeMs);
    const read = (readable: readonly ListKey[], own: readonly Cancellation[] | undefined) => {
      const options = { clock, timeoutMs, toResult: toListValue, cancellations: own, onError };
      return readAll(lists, makeListQueries(readable, oldest), options);
    };
    if (keys.every(({ generation }) => generation >= oldest)) return read(keys, cancellations);
    // Bigtable refuses an empty range of timestamps, and there is nothing to find in it.
    const places = [...keys.keys()].filter((i) => (keys[i] as ListKey).generation >= oldest);
    const own = cancellations && places.map((i) => cancellations[i] as Cancellation);
    const found = await read(
      places.map((i) => keys[i] as ListKey),
      own,
    );
    const results: (ListValue | ReadFailure)[] = keys.map(() => ABSENT);
    for (const [i, place] of places.entries()) results[place] = found[i] as ListValue | ReadFailure;
    return results;
  };

  return {
    readLists,
    readItems: (keys, timeoutMs, cancellations) => {
      const queries = keys.map(({ id, release }) => ({
        batchKey: makeItemsBatchKey(release),
        rowKey: makeItemRowKey(id),
      }));
      return readAll(items, queries, { clock, timeoutMs, toResult: toItemValue, cancellations, onError });
    },
    warm: () => channels.warm(),
    isWarm: () => channels.isWarm(),
    close: async () => {
      lists.close(closedError());
      items.close(closedError());
      await channels.close();
    },
    waiting: () => lists.waiting() + items.waiting(),
  };
}

/** The queue of each table, over the same channels and budget. */
function openQueues(options: RecommendationTableOptions) {
  const { address, appProfile, hedgeProfile, clock = systemClock, random = systemRandom, onError } = options;
  const { localCluster = createLocalCluster({ clock, random }) } = options;
  const channels = new ReadChannels({
    address,
    appProfiles: hedgeProfile === undefined ? [appProfile] : [appProfile, hedgeProfile],
    count: options.channels ?? DEFAULT_CHANNELS,
    clock,
    random,
    onError,
  });
  const budget = createRetryBudget(EXTRA_READS);
  const createQueue = (table: string) =>
    new ReadQueue({
      channels,
      appProfile,
      hedgeProfile,
      localCluster,
      hedgeDelay: createHedgeDelay(),
      budget,
      maxRetries: MAX_RETRIES,
      maxKeysPerCall: MAX_KEYS_PER_CALL,
      callsPerBatchKey: options.callsPerBatchKey ?? DEFAULT_CALLS_PER_BATCH_KEY,
      clock,
      random,
      defer: options.defer ?? setImmediate,
      observer: options.observerOf?.(table) ?? NO_OBSERVER,
    });
  return { channels, lists: createQueue(TABLES.recommendations), items: createQueue(TABLES.items) };
}
