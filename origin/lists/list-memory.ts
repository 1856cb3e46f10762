// Lists in the memory of the process, with the start of the call that read them. The reader decides whether a list may
// be served.
import { BoundedMemory } from '../../shared/caching/bounded-memory.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import { bytesOf, type ListValue } from '../../shared/domain/list.ts';

export interface CachedList {
  readonly value: ListValue;
  /** Start of the call that read the list. It contains all changes of the table before this moment. */
  readonly storedAtMs: number;
}

export type ListMemory = Pick<BoundedMemory<CacheKey, CachedList>, 'get' | 'set' | 'bytes' | 'entries'>;

/** `maxBytes` of keys, lists and overhead; 0 keeps nothing. `set` keeps the list that was read later. */
export const createListMemory = (maxBytes: number): ListMemory =>
  new NewestLists(maxBytes, ({ value }) => bytesOf(value));

class NewestLists extends BoundedMemory<CacheKey, CachedList> {
  override set(key: CacheKey, list: CachedList): void {
    const known = this.peek(key);
    if (known === undefined || known.storedAtMs <= list.storedAtMs) super.set(key, copyOf(list));
  }
}

/** A list as read is a view of its whole message, which it would keep in memory. */
function copyOf({ value, storedAtMs }: CachedList): CachedList {
  if (value.kind === 'absent') return { value, storedAtMs };
  const bytes = Buffer.allocUnsafeSlow(value.bytes.length);
  bytes.set(value.bytes);
  return { value: { ...value, bytes }, storedAtMs };
}
