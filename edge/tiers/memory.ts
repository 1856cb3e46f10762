// The memory tier: an isolate's own lists, and those of a region object. It stores plain data only, because I/O objects
// must not cross requests.
import { type Entry, ownBytes } from '../../shared/caching/entry.ts';
import { createListMemory } from '../../shared/caching/list-memory.ts';
import type { MemoryTier } from './tier.ts';

export interface MemoryOptions {
  readonly name: string;
  /** Maximum bytes of keys, lists and overhead, 0 or more. */
  readonly maxBytes: number;
}

export function createMemoryTier({ name, maxBytes }: MemoryOptions): MemoryTier {
  const memory = createListMemory<Entry>({
    maxBytes,
    isBetter,
    own: (entry) => ({ ...entry, value: ownBytes(entry.value) }),
  });
  return {
    name,
    peek: memory.get,
    get: async (key) => memory.get(key),
    set: async (key, entry) => memory.set(key, entry),
    delete: async (key) => memory.delete(key),
  };
}

/** Jitter can end the newer entry first. Then the older one would be loaded repeatedly and never stored. */
const isBetter = (current: Entry, next: Entry): boolean =>
  current.storedAtMs > next.storedAtMs && current.freshUntilMs >= next.freshUntilMs;
