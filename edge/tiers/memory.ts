// Entries in memory, bounded by bytes: the isolate's own tier, and the memory of a region object. It stores plain data
// only, because I/O objects must not cross requests. An older entry never replaces a newer one that stays fresh as
// long.
import { LRUCache } from 'lru-cache';
import { type Entry, ownBytes } from '../../shared/caching/entry.ts';
import type { MemoryTier } from './tier.ts';

/**
 * Cost of an entry besides its key and bytes: 530 bytes of V8 heap (mean of 100 000 entries) plus the buffer's
 * bookkeeping.
 */
const ENTRY_OVERHEAD_BYTES = 640;

export interface MemoryOptions {
  readonly name: string;
  /** Maximum bytes of keys, lists and overhead, 0 or more. A larger entry is not stored. */
  readonly maxBytes: number;
}

export function createMemoryTier({ name, maxBytes }: MemoryOptions): MemoryTier {
  const cache = new LRUCache<string, Entry>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ value }, key) =>
      ENTRY_OVERHEAD_BYTES + key.length + (value.kind === 'list' ? value.bytes.byteLength : 0),
  });
  return {
    name,
    peek: (key) => cache.get(key),
    get: async (key) => cache.get(key),
    set: async (key, entry) => {
      const current = cache.peek(key);
      // Jitter can end the newer entry first. Then the older one would be loaded repeatedly and never stored.
      if (current !== undefined && isBetter(current, entry)) return;
      cache.set(key, { ...entry, value: ownBytes(entry.value) });
    },
    delete: async (key) => {
      cache.delete(key);
    },
  };
}

const isBetter = (a: Entry, b: Entry): boolean => a.storedAtMs > b.storedAtMs && a.freshUntilMs >= b.freshUntilMs;
