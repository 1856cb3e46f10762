// One place where lists are cached. A tier only holds entries: what state an entry is in, and whether it may be served, is decided above it.
import type { Entry } from '../../shared/caching/entry.ts';

/** A cache that takes longer, in milliseconds, is no help: its region is about as near. */
export const TIER_TIMEOUT_MS = 250;

export interface Tier {
  /** As it appears in Cache-Status. */
  readonly name: string;
  /** The entry stored under `key` (keys.ts), whatever its state; undefined when there is none. */
  get(key: string): Promise<Entry | undefined>;
  set(key: string, entry: Entry): Promise<void>;
  delete(key: string): Promise<void>;
}

/** A tier that can tell without waiting. */
export interface MemoryTier extends Tier {
  /** As `get`, at once. */
  peek(key: string): Entry | undefined;
}
