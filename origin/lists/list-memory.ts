// Lists in the memory of the process, bounded by bytes: what was read from the table, and when. Whether it may still be served is decided by
// who asks (list-reader.ts).
import { LRUCache } from 'lru-cache';
import type { ListValue } from '../../shared/domain/list.ts';

export interface HeldList {
  readonly value: ListValue;
  /** When the call that read it began: what was changed in the table until then is in it. */
  readonly storedAtMs: number;
}

export interface ListMemory {
  get(key: string): HeldList | undefined;
  /** Unless what is held was read later. */
  set(key: string, held: HeldList): void;
  readonly bytes: number;
  readonly entries: number;
}

/**
 * What an entry costs beside its key and its bytes: objects on V8's heap and the bookkeeping of its buffer. With 200 000 lists of 2 100 bytes V8 counted
 * 460 of them, and the process grew by 950.
 */
const ENTRY_OVERHEAD_BYTES = 640;

/** `maxBytes` of keys, lists and bookkeeping; 0 holds nothing. */
export function createListMemory(maxBytes: number): ListMemory {
  const cache = new LRUCache<string, HeldList>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ value }, key) =>
      ENTRY_OVERHEAD_BYTES + key.length + (value.kind === 'list' ? value.bytes.byteLength : 0),
  });
  return {
    get: (key) => cache.get(key),
    set: (key, held) => {
      const known = cache.peek(key);
      if (known === undefined || known.storedAtMs <= held.storedAtMs) cache.set(key, copyOf(held));
    },
    get bytes() {
      return cache.calculatedSize;
    },
    get entries() {
      return cache.size;
    },
  };
}

/** A list as it came is a view of the whole message that carried it; kept as it is, all of that would be kept. */
function copyOf({ value, storedAtMs }: HeldList): HeldList {
  if (value.kind === 'absent') return { value, storedAtMs };
  const bytes = Buffer.allocUnsafeSlow(value.bytes.length);
  bytes.set(value.bytes);
  return { value: { ...value, bytes }, storedAtMs };
}
