// A tier with counters: a read without an entry is a miss and stores the entry.
import type { Tier } from '../../edge/tiers/tier.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import { TRACE_ENTRY } from './sized-tier.ts';

export interface ReadThrough {
  readonly reads: number;
  readonly misses: number;
  read(key: CacheKey): Promise<void>;
}

export function createReadThrough(tier: Tier): ReadThrough {
  let reads = 0;
  let misses = 0;
  return {
    get reads() {
      return reads;
    },
    get misses() {
      return misses;
    },
    read: async (key) => {
      reads++;
      if ((await tier.get(key)) !== undefined) return;
      misses++;
      await tier.set(key, TRACE_ENTRY);
    },
  };
}
