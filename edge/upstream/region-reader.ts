// What is read from one region, and what came of it: the same whether the region's object or its origin is asked.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Call } from '../request/call.ts';
import type { Asked } from '../tiers/chain.ts';

export interface ListRequest {
  readonly key: ListKey;
  /** How long the list is fresh at most, from its surface in the manifest. */
  readonly ttlSeconds: number;
  /** Entries from before this moment are misses, and loads that began before it are not joined. 0: any will do. */
  readonly notBeforeMs: number;
  /** Nobody waits for it: a refresh. An origin that has too much to do sheds it before all else. Default: false. */
  readonly isBackground?: boolean;
  /** What caches hold will do or nothing: no region is asked. Default: false. */
  readonly isHeldOnly?: boolean;
}

/** What one region said of one key. */
export interface RegionAsked {
  readonly region: string;
  /** Its object, when that was asked. */
  readonly object?: Omit<Asked, 'tier'>;
  /** Its origin, when that was asked: the status it gave, or why it gave none. */
  readonly origin?: { readonly status?: number; readonly detail?: string };
}

export type Loaded =
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
      /** Whether the entry had been stored before it was asked for, be it in the memory of an origin. */
      readonly isFromCache: boolean;
      readonly asked: readonly RegionAsked[];
    }
  | {
      readonly kind: 'failed';
      /** Whether the region as a whole is at fault, so that it would fail for any other key too. */
      readonly isRegionAtFault: boolean;
      /** Whether the origin shed it because nobody waits for it, which says nothing of reads that somebody waits for. Default: false. */
      readonly isShed?: boolean;
      /** How long to leave it alone, in milliseconds: it has too much to do. Default: it does not say so. */
      readonly retryAfterMs?: number;
      /** What the region still holds, for when no other region has better. */
      readonly stale?: Entry;
      readonly asked: readonly RegionAsked[];
    };

/** Why a key could not be had. */
export type LoadFailure = Pick<Extract<Loaded, { kind: 'failed' }>, 'isRegionAtFault' | 'isShed' | 'retryAfterMs'>;

export interface RegionReader {
  /** One outcome per request, in their order; `[]` only for none. Never rejects. */
  read(region: Region, requests: readonly ListRequest[], call: Call): Promise<Loaded[]>;
}
