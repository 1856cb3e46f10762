// The memory of one isolate, bounded by bytes. It holds plain data only, because I/O objects may not cross requests.
import { LRUCache } from 'lru-cache';
import type { Entry, ListValue } from '../../shared/entry.ts';
import type { Tier } from './tier.ts';

/** What an entry costs beside its key and its bytes: 530 bytes of V8 heap (measured over 100 000 entries) and the bookkeeping of its buffer. */
const ENTRY_OVERHEAD_BYTES = 640;

export function createIsolateTier({ maxBytes }: { maxBytes: number }): Tier {
  const cache = new LRUCache<string, Entry>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ value }, key) =>
      ENTRY_OVERHEAD_BYTES + key.length + (value.kind === 'list' ? value.bytes.byteLength : 0),
  });
  return {
    name: 'isolate',
    get: async (key) => cache.get(key),
    set: async (key, entry) => {
      cache.set(key, { ...entry, value: ownBytes(entry.value) });
    },
    delete: async (key) => {
      cache.delete(key);
    },
  };
}

/** A list read from an answer is a view of the whole answer; kept as it is, it would hold all of it in memory beyond the bound. */
const ownBytes = (value: ListValue): ListValue =>
  value.kind === 'list' && value.bytes.byteLength < value.bytes.buffer.byteLength
    ? { ...value, bytes: value.bytes.slice() }
    : value;
