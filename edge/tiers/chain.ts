// The tiers in lookup order. A hit is promoted into the tiers above it. A tier that throws or hangs is a miss and a
// counter, never an error of the request. The chain never returns an expired entry, or one stored before the reader's
// `notBeforeMs`.
import { type Entry, stateOf } from '../../shared/caching/entry.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterName, CounterSide, Counters } from '../../shared/runtime/counters.ts';
import type { Call } from '../request/call.ts';
import { withTimeout } from '../request/with-timeout.ts';
import { type MemoryTier, SWITCHED_OFF, TIER_TIMEOUT_MS, type Tier, type TierLookup } from './tier.ts';

/** The result of a lookup. `tiers` holds the tiers that were asked, in order. */
export type Lookup =
  | { readonly state: 'fresh' | 'stale'; readonly entry: Entry; readonly tiers: readonly TierLookup[] }
  | { readonly state: 'missing'; readonly tiers: readonly TierLookup[] };

export interface ListEntry extends Entry {
  readonly value: StoredList;
}

/** The demands of a reader on an entry. */
export interface Terms {
  /** An entry stored before this moment is a miss. */
  readonly notBeforeMs: number;
  /** Maximum fresh time. Default: that of the entry. */
  readonly ttlSeconds?: number;
}

export interface TierChain {
  readonly nearestName: string;
  /** The nearest tier's list, if it is fresh. Any other result counts nothing, because a full lookup follows. */
  getFreshList(key: CacheKey, terms: Terms): ListEntry | undefined;
  /** Asks the nearest tier alone, without I/O. */
  lookupNearest(key: CacheKey, terms: Terms): Lookup;
  /** Asks the nearest tier again, because another request may have filled it, and then the other tiers. */
  lookupRest(key: CacheKey, terms: Terms, call: Call): Promise<Lookup>;
  /** Stores the entry in every tier, in the background. */
  store(key: CacheKey, entry: Entry, call: Call): void;
}

interface ChainOptions {
  readonly nearest: MemoryTier;
  readonly others: readonly Tier[];
  readonly clock: Clock;
  readonly counters: Counters;
  readonly side: CounterSide;
}

interface Answer {
  readonly lookup: TierLookup;
  readonly entry?: Entry;
}

export function createTierChain({ nearest, others, clock, counters, side }: ChainOptions): TierChain {
  const tiers = [nearest, ...others];
  const countError = (): void => counters.add(`${side}_tier_errors_total`);

  function classify(tier: Tier, entry: Entry | undefined, { notBeforeMs, ttlSeconds }: Terms): Answer {
    const isUsable = entry !== undefined && entry.storedAtMs >= notBeforeMs;
    const state = isUsable ? stateOf(entry, clock.now(), ttlSeconds) : 'expired';
    if (entry === undefined || state === 'expired') return { lookup: { tier: tier.name, outcome: 'miss' } };
    return { lookup: { tier: tier.name, outcome: state === 'fresh' ? 'hit' : 'stale' }, entry };
  }

  async function query(tier: Tier, key: CacheKey, terms: Terms): Promise<Answer> {
    try {
      const entry = await withTimeout(clock, TIER_TIMEOUT_MS, () => tier.get(key));
      return classify(tier, entry, terms);
    } catch {
      countError();
      return { lookup: { tier: tier.name, outcome: 'error' } };
    }
  }

  function storeIn(targets: readonly Tier[], key: CacheKey, entry: Entry, call: Call): void {
    for (const tier of targets) if (!isOff(tier, call)) call.waitUntil(tier.set(key, entry).catch(countError));
  }

  function lookupNearest(key: CacheKey, terms: Terms): Lookup {
    const { lookup, entry } = classify(nearest, nearest.peek(key), terms);
    if (entry === undefined) return { state: 'missing', tiers: [lookup] };
    if (lookup.outcome === 'stale') return { state: 'stale', entry, tiers: [lookup] };
    countHit(nearest, counters);
    return { state: 'fresh', entry, tiers: [lookup] };
  }

  async function lookupRest(key: CacheKey, terms: Terms, call: Call): Promise<Lookup> {
    const near = lookupNearest(key, terms);
    if (near.state === 'fresh') return near;
    const lookups = [...near.tiers];
    let newest = near.state === 'stale' ? near.entry : undefined;
    for (const tier of others) {
      if (isOff(tier, call)) {
        lookups.push({ tier: tier.name, outcome: 'bypass', detail: SWITCHED_OFF });
        continue;
      }
      const { lookup, entry } = await call.timings.time(tier.name, async () => {
        const found = await query(tier, key, terms);
        call.trace?.describe({ 'earshot.outcome': found.lookup.outcome });
        return found;
      });
      lookups.push(lookup);
      if (entry === undefined) continue;
      const isFresh = lookup.outcome === 'hit';
      if (!isFresh && newest !== undefined && newest.storedAtMs > entry.storedAtMs) continue;
      newest = entry;
      storeIn(tiers.slice(0, tiers.indexOf(tier)), key, entry, call);
      if (!isFresh) continue;
      countHit(tier, counters);
      return { state: 'fresh', entry, tiers: lookups };
    }
    return newest === undefined
      ? { state: 'missing', tiers: lookups }
      : { state: 'stale', entry: newest, tiers: lookups };
  }

  return {
    nearestName: nearest.name,
    getFreshList: (key, terms) => {
      const { lookup, entry } = classify(nearest, nearest.peek(key), terms);
      if (entry === undefined || !isList(entry) || lookup.outcome !== 'hit') return undefined;
      countHit(nearest, counters);
      return entry;
    },
    lookupNearest,
    lookupRest,
    store: (key, entry, call) => storeIn(tiers, key, entry, call),
  };
}

const isOff = ({ name }: Tier, { switches }: Call): boolean => name === 'colo' && switches?.isColoTierOff === true;

const isList = (entry: Entry): entry is ListEntry => entry.value.kind === 'list';

const HIT_COUNTERS: Readonly<Record<string, CounterName>> = {
  isolate: 'edge_isolate_hits_total',
  colo: 'edge_colo_hits_total',
  region: 'region_hits_total',
};

function countHit({ name }: Tier, counters: Counters): void {
  const counter = HIT_COUNTERS[name];
  if (counter !== undefined) counters.add(counter);
}
