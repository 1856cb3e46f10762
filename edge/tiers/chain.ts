// The tiers in the order in which they are asked. A hit is promoted into the tiers above it; a tier that throws is passed over as a miss
// and counted, never a request's error; an expired entry is never handed out.
import type { Clock } from '../../shared/clock.ts';
import type { CounterName, Counters } from '../../shared/counters.ts';
import { type Entry, stateOf } from '../../shared/entry.ts';
import type { Call } from '../call.ts';
import type { Tier } from './tier.ts';

/** What one tier said, and `stale-if-error` when what it had was served because nothing better could be had. */
export interface Asked {
  readonly tier: string;
  readonly outcome: 'hit' | 'stale' | 'stale-if-error' | 'miss' | 'error';
  /** Whether the request waited here for the load of another. */
  readonly isCollapsed?: boolean;
}

/** `asked` holds the tiers that were asked, in that order. */
export type Lookup =
  | { readonly state: 'fresh'; readonly entry: Entry; readonly asked: readonly Asked[] }
  | { readonly state: 'stale'; readonly entry: Entry; readonly asked: readonly Asked[] }
  | { readonly state: 'missing'; readonly asked: readonly Asked[] };

export interface TierChain {
  /** Asks the first tier alone, which costs no I/O. */
  lookupNearest(key: string, call: Call): Promise<Lookup>;
  /** Asks the other tiers; before them the first once more, because somebody may have filled it since. */
  lookupRest(key: string, call: Call): Promise<Lookup>;
  /** Stores in every tier, in the background: the answer does not wait for it. */
  store(key: string, entry: Entry, call: Call): void;
}

interface ChainOptions {
  readonly tiers: readonly [Tier, ...Tier[]];
  readonly clock: Clock;
  readonly counters: Counters;
}

export function createTierChain({ tiers, clock, counters }: ChainOptions): TierChain {
  async function ask(tier: Tier, key: string): Promise<{ asked: Asked; entry?: Entry }> {
    try {
      const entry = await tier.get(key);
      const state = entry === undefined ? 'expired' : stateOf(entry, clock.now());
      if (entry === undefined || state === 'expired') return { asked: { tier: tier.name, outcome: 'miss' } };
      return { asked: { tier: tier.name, outcome: state === 'fresh' ? 'hit' : 'stale' }, entry };
    } catch {
      counters.add('edge_tier_errors_total');
      return { asked: { tier: tier.name, outcome: 'error' } };
    }
  }

  function storeIn(targets: readonly Tier[], key: string, entry: Entry, call: Call): void {
    for (const tier of targets) {
      call.waitUntil(tier.set(key, entry).catch(() => counters.add('edge_tier_errors_total')));
    }
  }

  async function lookupIn(range: readonly Tier[], key: string, call: Call): Promise<Lookup> {
    const asked: Asked[] = [];
    let stale: Entry | undefined;
    for (const tier of range) {
      const answer = await call.timings.time(tier.name, () => ask(tier, key));
      asked.push(answer.asked);
      if (answer.entry === undefined) continue;
      if (answer.asked.outcome === 'hit') {
        countHit(counters, tier.name);
        storeIn(tiers.slice(0, tiers.indexOf(tier)), key, answer.entry, call);
        return { state: 'fresh', entry: answer.entry, asked };
      }
      stale ??= answer.entry;
    }
    return stale === undefined ? { state: 'missing', asked } : { state: 'stale', entry: stale, asked };
  }

  const [nearest, ...rest] = tiers;

  return {
    lookupNearest: (key, call) => lookupIn([nearest], key, call),
    lookupRest: async (key, call) => {
      const again = await ask(nearest, key);
      if (again.entry !== undefined && again.asked.outcome === 'hit') {
        countHit(counters, nearest.name);
        return { state: 'fresh', entry: again.entry, asked: [again.asked] };
      }
      const lookup = await lookupIn(rest, key, call);
      const asked = [again.asked, ...lookup.asked];
      // What the nearest holds is what it was given last, so of two stale ones it has the newer.
      if (lookup.state === 'fresh' || again.entry === undefined) return { ...lookup, asked };
      return { state: 'stale', entry: again.entry, asked };
    },
    store: (key, entry, call) => storeIn(tiers, key, entry, call),
  };
}

const HIT_COUNTERS: Readonly<Record<string, CounterName>> = {
  isolate: 'edge_isolate_hits_total',
  colo: 'edge_colo_hits_total',
};

function countHit(counters: Counters, tier: string): void {
  const name = HIT_COUNTERS[tier];
  if (name !== undefined) counters.add(name);
}
