// Erased users, as a document: `{"format":1,"erasures":[[hash, atMs], ...]}`, by hash in ascending order. `hash` is the
// user's 53-bit number, and `atMs` the moment before which nothing of the user may be served. `null` hides the user:
// no cache and no region is asked, because the rows may not be deleted everywhere yet.

/** Caches and Bigtable keep a list for at most 30 days. A day more covers late collection. */
export const KEEP_ERASURE_MS = 31 * 86_400_000;

/** Maximum number of erasures of one document. */
export const MAX_ERASURES = 100_000;
/** In the place of a moment: the user is hidden. */
export const HIDDEN_MS = Number.POSITIVE_INFINITY;

export interface ErasureDocument {
  readonly size: number;
  /** 0 for a user that is not in it; HIDDEN_MS for a hidden one. */
  atMs(hash: number): number;
}

export type ErasureEntry = readonly [hash: number, atMs: number | null];

/** Entries by hash in ascending order, as two arrays: 16 bytes for each user. Throws an Error for any other value. */
export function parseErasures(value: object): ErasureDocument {
  const { erasures } = value as { readonly erasures?: unknown };
  if (!Array.isArray(erasures) || erasures.length > MAX_ERASURES)
    throw new Error(`expected at most ${MAX_ERASURES} erasures, got ${describe(erasures)}`);
  const hashes = new Float64Array(erasures.length);
  const moments = new Float64Array(erasures.length);
  let last = -1;
  for (let i = 0; i < erasures.length; i++) {
    const [hash, atMs] = (Array.isArray(erasures[i]) ? erasures[i] : []) as unknown[];
    if (!isWhole(hash) || hash <= last || (atMs !== null && !isWhole(atMs)))
      throw new Error(`expected erasure ${i} to be a larger hash and a moment, got ${JSON.stringify(erasures[i])}`);
    hashes[i] = hash;
    moments[i] = atMs ?? HIDDEN_MS;
    last = hash;
  }
  return { size: erasures.length, atMs: (hash) => moments[indexIn(hashes, hash)] ?? 0 };
}

/** Binary search; -1 if `hash` is not there. */
function indexIn(hashes: Float64Array, hash: number): number {
  let [low, high] = [0, hashes.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = hashes[middle] as number;
    if (found === hash) return middle;
    if (found < hash) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const describe = (value: unknown): string => (Array.isArray(value) ? String(value.length) : typeof value);
