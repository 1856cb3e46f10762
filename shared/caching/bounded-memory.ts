// Memory bounded by bytes; the least recently used entry is evicted first. It holds the lists of an isolate, of a
// region object and of an origin, and the items of an origin.
import { LRUCache } from 'lru-cache';

/** Bytes of an entry besides its key and its content: objects on V8's heap, and the bookkeeping of a buffer. */
const ENTRY_OVERHEAD_BYTES = 640;

/** `K` is the type of its keys, so that a memory of lists is keyed by a CacheKey and by no other text. */
export class BoundedMemory<K extends string, V extends object> {
  readonly #cache: LRUCache<K, V>;

  /** `maxBytes` of keys, content and overhead; 0 keeps nothing. `bytesOf`: bytes of the content. */
  constructor(maxBytes: number, bytesOf: (value: V) => number) {
    this.#cache = new LRUCache<K, V>({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: (value, key) => ENTRY_OVERHEAD_BYTES + key.length + bytesOf(value),
    });
  }

  get(key: K): V | undefined {
    return this.#cache.get(key);
  }

  /** The value without marking it as used. */
  peek(key: K): V | undefined {
    return this.#cache.peek(key);
  }

  set(key: K, value: V): void {
    this.#cache.set(key, value);
  }

  get bytes(): number {
    return this.#cache.calculatedSize;
  }

  get entries(): number {
    return this.#cache.size;
  }
}
