// The source of lists behind the tiers: the regions for the worker, the origin for a region object.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Call } from '../request/call.ts';
import type { RegionLookup } from './trail.ts';

export interface ListRequest {
  readonly key: ListKey;
  /** Maximum time that the list is fresh, from its surface in the manifest. */
  readonly ttlSeconds: number;
  /** Entries stored before this moment are misses, and loads started before it are not joined. 0: any entry will do. */
  readonly notBeforeMs: number;
  /** No caller waits for the result: a refresh or a warm-up. An overloaded origin sheds it first. Default: false. */
  readonly isBackground?: boolean;
  /** For a comparison with Bigtable: an origin may not answer from memory, and stores nothing. Default: false. */
  readonly isShadow?: boolean;
  /**
   * Generation that goes live next: a region object that has the list loads this one behind its answer. Default: none.
   */
  readonly warm?: number | undefined;
  /** Serve from caches only; no region is asked (only-if-cached, RFC 9111, section 5.2.1.7). Default: false. */
  readonly onlyIfCached?: boolean;
}

export type LoadFailureReason =
  /** The region as a whole failed. It would fail for any other key, too. */
  | 'region-unavailable'
  /** The region refuses work that callers wait for. */
  | 'overloaded'
  /** The region shed background work. It may still serve reads that callers wait for. */
  | 'background-shed'
  /** The failure is about this key alone. */
  | 'key-failed'
  /**
   * The region refused a call with a 4xx that names no key: the key may be at fault, or the edge's own access to the
   * region. Neither is a fault of the region.
   */
  | 'refused'
  /** The wait ended first: by its own time limit, or by cancellation. The source is not at fault. */
  | 'wait-ended';

export interface LoadFailure {
  readonly reason: LoadFailureReason;
  /** Back-off that the source asked for, in milliseconds. Default: none. */
  readonly retryAfterMs?: number;
}

/** Whether the region as a whole is at fault, so that it would fail for any other key, too. */
export const isRegionFault = ({ reason }: LoadFailure): boolean =>
  reason === 'region-unavailable' || reason === 'overloaded';

export type LoadResult =
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
      /** Whether a cache had stored the entry before the request, an origin's memory included. */
      readonly isFromCache: boolean;
      readonly regions: readonly RegionLookup[];
    }
  | (LoadFailure & {
      readonly kind: 'failed';
      /** A stale entry that the region still holds. */
      readonly stale?: Entry;
      readonly regions: readonly RegionLookup[];
    });

export interface ListSource {
  /** One result per request, in order. Never rejects. */
  load(requests: readonly ListRequest[], call: Call): Promise<LoadResult[]>;
  /** Whether no result is expected before the call's deadline, so that a load is not worth its start. Default: no. */
  isHopeless?(call: Call): boolean;
}
