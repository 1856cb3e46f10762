// What is stored in Bigtable, as the origin reads it: lists, and what is known of items. Behind it is all that makes reading Bigtable fast and
// safe. A read of a list asks for the newest cell at or before its generation, so a user who is missing from a new generation keeps the list
// from the one before. One key's trouble stays its own: the result says per key what became of it.
import { hash } from 'node:crypto';
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import {
  FAMILIES,
  JSON_QUALIFIER,
  type ListKey,
  makeListQualifier,
  makeRowKey,
  TABLES,
} from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { type Random, systemRandom } from '../../shared/runtime/random.ts';
import { createRetryBudget } from '../../shared/runtime/retry-budget.ts';
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';
import type { Row } from './chunk-merger.ts';
import type { BigtableAddress } from './connection.ts';
import { createLocalCluster, type LocalCluster } from './local-cluster.ts';
import type { RowFilter } from './read-rows.ts';
import { createReadChannels } from './reads/channels.ts';
import { createHedgeDelay } from './reads/hedge-delay.ts';
import type { CallObserver } from './reads/key-read.ts';
import { createReadQueue, type Lane, type Waiter } from './reads/read-queue.ts';

export type ReadFailure = { readonly kind: 'error'; readonly code: ErrorCode };

export type ItemValue = { readonly kind: 'item'; readonly bytes: Uint8Array } | { readonly kind: 'absent' };

export interface RecommendationTable {
  /**
   * One result per key, in order; bytes are views of larger memory. Never rejects: what failed is an `error` result, and so is a key whose
   * cancellation, at the same place in `cancellations`, is gone: nothing is done for it any more.
   */
  readLists(
    keys: readonly ListKey[],
    timeoutMs: number,
    cancellations?: readonly Cancellation[],
  ): Promise<(ListValue | ReadFailure)[]>;
  /** One result per item id, as `readLists`. An item is one JSON object. */
  readItems(
    ids: readonly string[],
    timeoutMs: number,
    cancellations?: readonly Cancellation[],
  ): Promise<(ItemValue | ReadFailure)[]>;
  /** Rows that wait for a call. */
  waiting(): number;
  /** Opens the connections and primes them. Rejects with an EarshotError of source `table`; may be called again then. */
  warm(): Promise<void>;
  /** Whether all connections were primed: reads before that fail, or wait for a connection. */
  isWarm(): boolean;
  close(): Promise<void>;
}

export interface RecommendationTableOptions {
  readonly address: BigtableAddress;
  /** Routes the reads, `serve-europe` for example. */
  readonly appProfile: string;
  /** Routes the second call for what takes too long, and all calls while the cluster of `appProfile` is ejected; undefined for neither. */
  readonly hedgeProfile?: string | undefined;
  /** The one that `appProfile` leads to. Default: one that nobody else asks about */
  readonly localCluster?: LocalCluster;
  /** Connections to Bigtable. Default: 2 */
  readonly channels?: number;
  /** Calls of one surface, variant and generation that may be out at once. Default: 2 */
  readonly callsPerLane?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: the system's. */
  readonly random?: Random;
  /** Default: setImmediate */
  readonly defer?: (run: () => void) => void;
  /** Of the calls on one table. Default: nobody. */
  readonly observerOf?: (table: string) => CallObserver;
  /** Told of every read that Bigtable failed, and of connections that could not be opened, with what it was about. */
  readonly onError: (error: unknown) => void;
}

/** More keys in one ReadRows call grow worse than linearly; they go in several, in parallel. */
export const MAX_KEYS_PER_CALL = 100;
export const DEFAULT_CHANNELS = 2;
export const DEFAULT_CALLS_PER_LANE = 2;
/** Hedges and retries together, as a share of the keys read. */
const EXTRA_READS_SHARE = 0.05;
/** What a broken connection may cost at once: all that was out on it is read again. */
const EXTRA_READS_RESERVE = 400;
const MAX_RETRIES = 3;

interface Ask {
  readonly lane: Lane;
  readonly rowKey: string;
}

export function createRecommendationTable(options: RecommendationTableOptions): RecommendationTable {
  const { address, appProfile, hedgeProfile, clock = systemClock, random = systemRandom, onError } = options;
  const { localCluster = createLocalCluster({ clock, random }) } = options;
  const channels = createReadChannels({
    address,
    appProfiles: hedgeProfile === undefined ? [appProfile] : [appProfile, hedgeProfile],
    count: options.channels ?? DEFAULT_CHANNELS,
    clock,
    random,
    onError,
  });
  const tableName = (table: string): string =>
    `projects/${address.project}/instances/${address.instance}/tables/${table}`;
  const budget = createRetryBudget({
    share: EXTRA_READS_SHARE,
    reserve: EXTRA_READS_RESERVE,
  });
  const createQueue = (table: string) =>
    createReadQueue({
      channels,
      appProfile,
      hedgeProfile,
      localCluster,
      hedgeDelay: createHedgeDelay(),
      budget,
      maxRetries: MAX_RETRIES,
      maxKeysPerCall: MAX_KEYS_PER_CALL,
      callsPerLane: options.callsPerLane ?? DEFAULT_CALLS_PER_LANE,
      clock,
      random,
      defer: options.defer ?? setImmediate,
      observer: options.observerOf?.(table) ?? NO_OBSERVER,
    });
  const queues = { lists: createQueue(TABLES.recommendations), items: createQueue(TABLES.items) };
  const itemsLane: Lane = { name: 'items', tableName: tableName(TABLES.items), filter: newestItem };

  function listsLane(key: ListKey): Lane {
    const name = `${key.surface}/${key.variant}/${key.generation}`;
    return { name, tableName: tableName(TABLES.recommendations), filter: newestListAtOrBefore(key) };
  }

  /** One result per ask, in order, all of them at the latest when the time is up. */
  function readAll<T>(
    queue: (typeof queues)['lists'],
    asks: readonly Ask[],
    timeoutMs: number,
    toResult: (row: Row | undefined) => T,
    cancellations: readonly Cancellation[] = [],
  ): Promise<(T | ReadFailure)[]> {
    if (asks.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const results: (T | ReadFailure)[] = new Array(asks.length);
      const deadlineAtMs = clock.monotonicNow() + timeoutMs;
      let open = asks.length;
      let failure: unknown;
      const put = (i: number, result: T | ReadFailure): void => {
        results[i] = result;
        if (--open > 0) return;
        cancelTimer();
        if (failure !== undefined) onError(failure);
        resolve(results);
      };
      const letGo = (i: number): void => {
        const asked = reads[i];
        if (asked === undefined || results[i] !== undefined) return;
        queue.leave(asked.read, asked.waiter);
        put(i, LET_GO);
      };
      const cancelTimer = clock.setTimeout(() => {
        for (const i of reads.keys()) letGo(i);
      }, timeoutMs);
      const reads = asks.map(({ lane, rowKey }, i) => {
        const waiter: Waiter = {
          deadlineAtMs,
          settle: (row) => put(i, toResult(row)),
          fail: (error) => {
            failure ??= error;
            put(i, { kind: 'error', code: error.code });
          },
        };
        return { waiter, read: queue.read(lane, rowKey, waiter) };
      });
      for (const [i, cancellation] of cancellations.entries()) cancellation.onCancel(() => letGo(i));
    });
  }

  return {
    readLists: (keys, timeoutMs, cancellations) => {
      const lanes = new Map<string, Lane>();
      const asks = keys.map((key) => {
        const name = `${key.surface}/${key.variant}/${key.generation}`;
        const lane = lanes.get(name) ?? listsLane(key);
        lanes.set(name, lane);
        return { lane, rowKey: makeRowKey(key.user) };
      });
      return readAll(queues.lists, asks, timeoutMs, toList, cancellations);
    },
    readItems: (ids, timeoutMs, cancellations) =>
      readAll(
        queues.items,
        ids.map((id) => ({ lane: itemsLane, rowKey: makeRowKey(id) })),
        timeoutMs,
        toItem,
        cancellations,
      ),
    warm: channels.warm,
    isWarm: channels.isWarm,
    close: async () => {
      const closed = new EarshotError('unavailable', 'table', 'the connections to Bigtable are closed');
      queues.lists.close(closed);
      queues.items.close(closed);
      await channels.close();
    },
    waiting: () => queues.lists.waiting() + queues.items.waiting(),
  };
}

const NO_OBSERVER: CallObserver = {
  onCall: () => {},
  onCallEnd: () => {},
  onRetry: () => {},
  onFailover: () => {},
  onHedge: () => {},
};

/** Its time was up, or nobody waited any more. */
const LET_GO: ReadFailure = { kind: 'error', code: 'deadline_exceeded' };

function newestListAtOrBefore({ surface, variant, generation }: ListKey): RowFilter {
  const qualifier = Buffer.from(makeListQualifier(surface, variant));
  return newestCell(FAMILIES.lists, qualifier, { endTimestampMicros: (generation + 1) * 1000 });
}

const newestItem: RowFilter = newestCell(FAMILIES.metadata, Buffer.from(JSON_QUALIFIER));

function newestCell(familyName: string, qualifier: Buffer, within?: { endTimestampMicros: number }): RowFilter {
  const column = { columnRangeFilter: { familyName, startQualifierClosed: qualifier, endQualifierClosed: qualifier } };
  const newest = { cellsPerColumnLimitFilter: 1 };
  return {
    chain: { filters: within === undefined ? [column, newest] : [column, { timestampRangeFilter: within }, newest] },
  };
}

function toList(row: Row | undefined): ListValue {
  const cell = row?.cells[0];
  if (cell === undefined) return ABSENT;
  return {
    kind: 'list',
    bytes: cell.value,
    generation: cell.timestampMicros / 1000,
    digest: makeDigest(cell.value),
  };
}

function toItem(row: Row | undefined): ItemValue {
  const cell = row?.cells[0];
  return cell === undefined ? ABSENT : { kind: 'item', bytes: cell.value };
}

const ABSENT = { kind: 'absent' } as const;

/** Names bytes: 96 bits, so two lists of one user with the same digest are not to be expected in the life of the universe. */
export const makeDigest = (bytes: Uint8Array): string => hash('sha256', bytes, 'base64url').slice(0, DIGEST_CHARS);

const DIGEST_CHARS = 16;
