// Lists in memory, bounded by bytes and evicted by least recent use: the memory of an isolate, a region object and an
// origin. An older list never replaces a newer one that stays usable as long.
import { LRUCache } from 'lru-cache';
import type { ListValue } from '../domain/list.ts';

/** Cost of an entry besides its key and bytes: objects on V8's heap and the bookkeeping of the buffer. */
const ENTRY_OVERHEAD_BYTES = 640;

export interface StoredValue {
  readonly value: ListValue;
  readonly storedAtMs: number;
}

export interface ListMemory<T extends StoredValue> {
  get(key: string): T | undefined;
  /** Stores `entry` unless the current one is better. */
  set(key: string, entry: T): void;
  delete(key: string): void;
  readonly bytes: number;
  readonly entries: number;
}

export interface ListMemoryOptions<T extends StoredValue> {
  /** Maximum bytes of keys, lists and overhead, 0 or more. A larger entry is not stored. */
  readonly maxBytes: number;
  /** Whether `current` should stay when `next` arrives. */
  readonly isBetter: (current: T, next: T) => boolean;
  /** The entry with bytes in a buffer of their own. */
  readonly own: (entry: T) => T;
}

export function createListMemory<T extends StoredValue>(options: ListMemoryOptions<T>): ListMemory<T> {
  const { maxBytes, isBetter, own } = options;
  const cache = new LRUCache<string, T>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ value }, key) =>
      ENTRY_OVERHEAD_BYTES + key.length + (value.kind === 'list' ? value.bytes.byteLength : 0),
  });
  return {
    get: (key) => cache.get(key),
    set: (key, entry) => {
      const current = cache.peek(key);
      if (current === undefined || !isBetter(current, entry)) cache.set(key, own(entry));
    },
    delete: (key) => {
      cache.delete(key);
    },
    get bytes() {
      return cache.calculatedSize;
    },
    get entries() {
      return cache.size;
    },
  };
}
