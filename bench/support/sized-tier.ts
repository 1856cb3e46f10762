// Isolate tiers that hold an exact number of entries. A tier is bounded by bytes, so all replayed entries have the same
// size.
import { createMemoryTier } from '../../edge/tiers/memory.ts';
import type { Tier } from '../../edge/tiers/tier.ts';
import type { Entry } from '../../shared/caching/entry.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';

/** The entry of every key of a trace. */
export const TRACE_ENTRY: Entry = {
  value: { kind: 'absent' },
  storedAtMs: 0,
  loadMs: 0,
  freshUntilMs: Number.MAX_SAFE_INTEGER,
  revalidateUntilMs: Number.MAX_SAFE_INTEGER,
  staleUntilMs: Number.MAX_SAFE_INTEGER,
};

const MAX_ENTRY_BYTES = 2 ** 20;

/**
 * Key for a recorded int32: two UTF-16 units, so that all keys have the same length. Decimal formatting would take
 * longer than the tier.
 */
export const makeTraceKey = (key: number): CacheKey => String.fromCharCode(key >>> 16, key & 0xffff) as CacheKey;

/** An isolate tier with room for exactly `count` entries of a trace. */
export async function createTierOf(count: number): Promise<Tier> {
  return createMemoryTier({ name: 'isolate', maxBytes: count * (await findEntryBytes()) });
}

/**
 * The size that the tier counts for an entry under `key`: the smallest bound at which it keeps one. Throws an Error
 * above `MAX_ENTRY_BYTES`.
 */
export async function findEntryBytes(key = makeTraceKey(0)): Promise<number> {
  if (!(await isKeptWithin(MAX_ENTRY_BYTES, key)))
    throw new Error(`expected an entry to take ${MAX_ENTRY_BYTES} bytes at most`);
  let [tooFew, enough] = [0, MAX_ENTRY_BYTES];
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (await isKeptWithin(middle, key)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

async function isKeptWithin(maxBytes: number, key: CacheKey): Promise<boolean> {
  const tier = createMemoryTier({ name: 'isolate', maxBytes });
  await tier.set(key, TRACE_ENTRY);
  return (await tier.get(key)) !== undefined;
}
