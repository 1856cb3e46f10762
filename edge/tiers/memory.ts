// The memory tier: an isolate's own lists, and those of a region object. It stores plain data only, because I/O objects
// must not cross requests.
import { BoundedMemory } from '../../shared/caching/bounded-memory.ts';
import { type Entry, ownBytes } from '../../shared/caching/entry.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import { bytesOf } from '../../shared/domain/list.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { createResidence } from './residence.ts';
import type { MemoryTier } from './tier.ts';

export interface MemoryOptions {
  readonly name: string;
  /** Maximum bytes of keys, lists and overhead, 0 or more. A larger entry is not stored. */
  readonly maxBytes: number;
  /** For `residenceMs`. Default: it is not measured. */
  readonly clock?: Clock;
}

export function createMemoryTier({ name, maxBytes, clock }: MemoryOptions): MemoryTier {
  const residence = clock && createResidence(clock);
  const memory = new BoundedMemory<CacheKey, Entry>(maxBytes, ({ value }) => bytesOf(value));
  return {
    name,
    peek: (key) => memory.get(key),
    get: async (key) => memory.get(key),
    set: async (key, entry) => {
      const current = memory.peek(key);
      if (current === undefined || !isBetter(current, entry))
        memory.set(key, { ...entry, value: ownBytes(entry.value) });
      if (current === undefined) residence?.recordStore();
    },
    ...(residence === undefined ? {} : { residenceMs: () => residence.ms(memory.entries) }),
  };
}

/** Jitter can end the newer entry first. Then the older one would be loaded repeatedly and never stored. */
const isBetter = (current: Entry, next: Entry): boolean =>
  current.storedAtMs > next.storedAtMs && current.freshUntilMs >= next.freshUntilMs;
