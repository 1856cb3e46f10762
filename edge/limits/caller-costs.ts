// The cost of callers, by service: reads, keys that reached an origin, bytes of answers, and refused requests. The
// number of services is bounded: the others are counted as `other`, and callers without a service as `listeners`.
import type { Identity } from '../identity/claims.ts';

export interface CallerCost {
  readonly service: string;
  reads: number;
  originReads: number;
  bytes: number;
  refused: number;
}

export interface CallerCosts {
  add(identity: Identity, cost: Partial<Omit<CallerCost, 'service'>>): void;
  /** One entry per service, in the order of their first request. */
  all(): readonly CallerCost[];
}

const MAX_COUNTED_SERVICES = 50;
const LISTENERS = 'listeners';
const OTHERS = 'other';

export function createCallerCosts(): CallerCosts {
  const costs = new Map<string, CallerCost>();

  function costOf({ service = LISTENERS }: Identity): CallerCost {
    const isKnown = costs.has(service) || costs.size < MAX_COUNTED_SERVICES || service === LISTENERS;
    const name = isKnown ? service : OTHERS;
    const known = costs.get(name);
    if (known !== undefined) return known;
    const cost = { service: name, reads: 0, originReads: 0, bytes: 0, refused: 0 };
    costs.set(name, cost);
    return cost;
  }

  return {
    add: (identity, { reads = 0, originReads = 0, bytes = 0, refused = 0 }) => {
      const cost = costOf(identity);
      cost.reads += reads;
      cost.originReads += originReads;
      cost.bytes += bytes;
      cost.refused += refused;
    },
    all: () => [...costs.values()],
  };
}
