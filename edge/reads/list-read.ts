// The result of one list read, decided from the lookup in the tiers. Pure: counters and loads are the caller's.
//
//   fresh                            served
//   stale, within revalidation       served while one refresh runs (stale-while-revalidate, RFC 5861)
//   stale, beyond revalidation       loaded; served if the load fails (stale-if-error, RFC 5861)
//   expired or missing               loaded
import { type Entry, stateOf, withinRevalidation } from '../../shared/caching/entry.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Lookup } from '../tiers/chain.ts';
import type { TierLookup } from '../tiers/tier.ts';
import type { LoadFailure } from './list-source.ts';
import type { CacheTrail } from './trail.ts';

export type ListRead =
  | EntryRead
  | { readonly kind: 'unreachable'; readonly failure: LoadFailure; readonly trail: CacheTrail };

export interface EntryRead {
  readonly kind: 'entry';
  readonly entry: Entry;
  /** Whether a cache had stored the entry before the read. */
  readonly isFromCache: boolean;
  /** Set for a stale entry that is served because its load failed. */
  readonly failure?: LoadFailure;
  readonly trail: CacheTrail;
}

/** The read that `lookup` answers without a load; undefined if the list has to be loaded. */
export function readFromLookup(key: ListKey, lookup: Lookup, nowMs: number): EntryRead | undefined {
  if (lookup.state === 'missing') return undefined;
  const { state, entry, tiers } = lookup;
  const read = (served: readonly TierLookup[]): EntryRead => ({
    kind: 'entry',
    entry,
    isFromCache: true,
    trail: { key, regions: [], entry, stored: true, tiers: served },
  });
  if (state === 'fresh') return read(tiers);
  return withinRevalidation(entry, nowMs) ? read(markServed(tiers, 'stale-while-revalidate')) : undefined;
}

/** The read after a failed load: the stale entry if it has not expired meanwhile. */
export function readAfterFailure(
  key: ListKey,
  lookup: Lookup,
  failure: LoadFailure,
  nowMs: number,
  regions: CacheTrail['regions'] = [],
): ListRead {
  const trail = { key, tiers: lookup.tiers, regions, stored: false };
  if (lookup.state === 'missing' || stateOf(lookup.entry, nowMs) === 'expired')
    return { kind: 'unreachable', failure, trail };
  const { entry, tiers } = lookup;
  const served = { ...trail, tiers: markServed(tiers, 'stale-if-error'), entry };
  return { kind: 'entry', entry, isFromCache: true, failure, trail: served };
}

/** The leader's read as a follower's: the follower asked the nearest tier only, and waited there. */
export function collapseRead(read: ListRead, tiers: readonly TierLookup[]): ListRead {
  const { key, stored } = read.trail;
  return { ...read, trail: { key, tiers: markCollapsed(tiers), regions: [], stored } };
}

export const markCollapsed = (tiers: readonly TierLookup[]): TierLookup[] =>
  tiers.map((each) => ({ ...each, isCollapsed: true }));

/** The first tier with a stale entry is the one that serves it. */
function markServed(tiers: readonly TierLookup[], outcome: TierLookup['outcome']): TierLookup[] {
  const server = tiers.findIndex((each) => each.outcome === 'stale');
  return tiers.map((each, i) => (i === server ? { ...each, outcome } : each));
}
