// The tiers in the order in which they are asked. A hit is promoted into the tiers above it; a tier that throws or hangs is passed over as a miss
// and counted, never a request's error; an expired entry, or one from before the moment that the reader names, is never handed out.

import { type Entry, type StoredList, stateOf } from '../../shared/caching/entry.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterName, CounterSide, Counters } from '../../shared/runtime/counters.ts';
import type { Call } from '../request/call.ts';
import { withTimeout } from '../request/with-timeout.ts';
import { type MemoryTier, TIER_TIMEOUT_MS, type Tier } from './tier.ts';

/** What one tier said; how an entry that was not fresh came to be served after all; `bypass` when it was not asked for once. */
export interface Asked {
  readonly tier: string;
  readonly outcome: 'hit' | 'stale' | 'stale-while-revalidate' | 'stale-if-error' | 'miss' | 'error' | 'bypass';
  /** Whether the request waited here for the load of another. */
  readonly isCollapsed?: boolean;
  /** Whether it keeps what it forwarded the read for. Default: whether the reader of the tiers does. */
  readonly isStored?: boolean;
  readonly detail?: string;
}

/** `asked` holds the tiers that were asked, in that order. */
export type Lookup =
  | { readonly state: 'fresh' | 'stale'; readonly entry: Entry; readonly asked: readonly Asked[] }
  | { readonly state: 'missing'; readonly asked: readonly Asked[] };

export interface ListEntry extends Entry {
  readonly value: StoredList;
}

export interface TierChain {
  readonly nearestName: string;
  /** The list that the first tier holds fresh; of anything else nothing is counted, because it is looked up again. */
  takeFreshList(key: string, notBeforeMs: number): ListEntry | undefined;
  /** Asks the first tier alone, which costs no I/O. */
  lookupNearest(key: string, notBeforeMs: number): Lookup;
  /** Asks the other tiers; before them the first once more, because somebody may have filled it since. */
  lookupRest(key: string, notBeforeMs: number, call: Call): Promise<Lookup>;
  /** Stores in every tier, in the background: the answer does not wait for it. */
  store(key: string, entry: Entry, call: Call): void;
}

interface ChainOptions {
  readonly nearest: MemoryTier;
  readonly others: readonly Tier[];
  readonly clock: Clock;
  readonly counters: Counters;
  readonly side: CounterSide;
}

export function createTierChain({ nearest, others, clock, counters, side }: ChainOptions): TierChain {
  const tiers = [nearest, ...others];
  const countError = (): void => counters.add(`${side}_tier_errors_total`);

  function judge(tier: Tier, entry: Entry | undefined, notBeforeMs: number): { asked: Asked; entry?: Entry } {
    const isUsable = entry !== undefined && entry.storedAtMs >= notBeforeMs;
    const state = isUsable ? stateOf(entry, clock.now()) : 'expired';
    if (entry === undefined || state === 'expired') return { asked: { tier: tier.name, outcome: 'miss' } };
    return { asked: { tier: tier.name, outcome: state === 'fresh' ? 'hit' : 'stale' }, entry };
  }

  async function ask(tier: Tier, key: string, notBeforeMs: number): Promise<{ asked: Asked; entry?: Entry }> {
    try {
      const entry = await withTimeout(clock, TIER_TIMEOUT_MS, () => tier.get(key));
      return judge(tier, entry, notBeforeMs);
    } catch {
      countError();
      return { asked: { tier: tier.name, outcome: 'error' } };
    }
  }

  function storeIn(targets: readonly Tier[], key: string, entry: Entry, call: Call): void {
    for (const tier of targets) call.waitUntil(tier.set(key, entry).catch(countError));
  }

  function lookupNearest(key: string, notBeforeMs: number): Lookup {
    const { asked, entry } = judge(nearest, nearest.peek(key), notBeforeMs);
    if (entry === undefined) return { state: 'missing', asked: [asked] };
    if (asked.outcome === 'stale') return { state: 'stale', entry, asked: [asked] };
    countHit(nearest, counters);
    return { state: 'fresh', entry, asked: [asked] };
  }

  return {
    nearestName: nearest.name,
    takeFreshList: (key, notBeforeMs) => {
      const { asked, entry } = judge(nearest, nearest.peek(key), notBeforeMs);
      if (entry === undefined || !isList(entry) || asked.outcome !== 'hit') return undefined;
      countHit(nearest, counters);
      return entry;
    },
    lookupNearest,
    lookupRest: async (key, notBeforeMs, call) => {
      const again = lookupNearest(key, notBeforeMs);
      if (again.state === 'fresh') return again;
      const asked = [...again.asked];
      let newest = again.state === 'stale' ? again.entry : undefined;
      for (const tier of others) {
        const answer = await call.timings.time(tier.name, () => ask(tier, key, notBeforeMs));
        asked.push(answer.asked);
        const { entry } = answer;
        if (entry === undefined) continue;
        const isFresh = answer.asked.outcome === 'hit';
        if (!isFresh && newest !== undefined && newest.storedAtMs > entry.storedAtMs) continue;
        newest = entry;
        storeIn(tiers.slice(0, tiers.indexOf(tier)), key, entry, call);
        if (!isFresh) continue;
        countHit(tier, counters);
        return { state: 'fresh', entry, asked };
      }
      return newest === undefined ? { state: 'missing', asked } : { state: 'stale', entry: newest, asked };
    },
    store: (key, entry, call) => storeIn(tiers, key, entry, call),
  };
}

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
