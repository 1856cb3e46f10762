// One cache of lists. A tier only stores entries; code above it decides the state of an entry and whether to serve it.
import type { Entry } from '../../shared/caching/entry.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';

/** Maximum wait for a tier in milliseconds. A slower tier does not pay: the region is about as near. */
export const TIER_TIMEOUT_MS = 250;

/** Detail of a tier that a switch of the manifest keeps out. */
export const SWITCHED_OFF = 'switched-off';

export interface Tier {
  /** Name in Cache-Status. */
  readonly name: string;
  /** The entry under `key` in whatever state, or undefined. */
  get(key: CacheKey): Promise<Entry | undefined>;
  set(key: CacheKey, entry: Entry): Promise<void>;
}

/** A tier with a synchronous lookup. */
export interface MemoryTier extends Tier {
  /** `get` without I/O. */
  peek(key: CacheKey): Entry | undefined;
  /** How long a list usually stays, in milliseconds. Undefined before the first list. Absent if it is not measured. */
  readonly residenceMs?: () => number | undefined;
}

/** The outcome of one tier. `stale-*` is a stale entry that was served; `bypass` means that the tier was not asked. */
export interface TierLookup {
  readonly tier: string;
  readonly outcome: 'hit' | 'stale' | 'stale-while-revalidate' | 'stale-if-error' | 'miss' | 'error' | 'bypass';
  /** Whether the request followed the load of another request here. */
  readonly isCollapsed?: boolean;
  /** Whether the tier stored the forwarded answer. Default: `stored` of the read's trail. */
  readonly isStored?: boolean;
  readonly detail?: string;
}
