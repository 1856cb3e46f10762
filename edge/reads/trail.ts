// The trail of one read: each cache and region that it asked, with the outcome. Cache-Status and debug output are made
// from it.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { TierLookup } from '../tiers/tier.ts';

/** The outcome of one region for one key. */
export interface RegionLookup {
  readonly region: string;
  /** The region's object, if it was asked. */
  readonly object?: Omit<TierLookup, 'tier'>;
  /** The region's origin, if it was asked: its status, or the reason why it gave none. */
  readonly origin?: { readonly status?: number; readonly detail?: string };
}

/** The popular list, the user's list without item metadata, or the user's list of the previous generation. */
export type FallbackKind = 'popular' | 'unexpanded' | 'previous';

export interface CacheTrail {
  readonly key: ListKey;
  /** In the order in which they were asked. */
  readonly tiers: readonly TierLookup[];
  readonly regions: readonly RegionLookup[];
  /** The entry that was served, if any. */
  readonly entry?: Entry;
  /** Whether the answer was stored in the tiers above its source. */
  readonly stored: boolean;
  /** Names of the switches that the read was answered under, joined by `+`. Default: none. */
  readonly switches?: string | undefined;
  /** Set for a read of a fallback. */
  readonly detail?: FallbackKind | undefined;
}
