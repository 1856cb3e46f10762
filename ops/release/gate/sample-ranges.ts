// The row keys of the sample: whole prefixes from `0000` on, so that it has the same users every day, then single
// prefixes spread over the rest of the table. Pure.

/** Row keys begin with four hex digits of a hash (shared/domain/keys.ts). */
export const PREFIXES = 0x10000;

/** Users of the first part of the sample. The second has at most as many. */
export const SAMPLE_USERS = 10_000;

/** Expected rows of one call: a row may have two lists of 15 kB. */
const ROWS_PER_CALL = 1_000;
const MAX_GROWTH = 16;
const MAX_SPREAD = 256;

/** Prefixes from `from` to before `to`. */
export interface PrefixRange {
  readonly from: number;
  readonly to: number;
}

export const firstRange: PrefixRange = { from: 0, to: 1 };

/** The range after the first `readTo` prefixes, which have `users` users. Undefined at the end of the table. */
export function nextRange(readTo: number, users: number): PrefixRange | undefined {
  if (readTo >= PREFIXES) return undefined;
  const wanted = users === 0 ? PREFIXES : Math.ceil((ROWS_PER_CALL * readTo) / users);
  return { from: readTo, to: Math.min(PREFIXES, readTo + Math.max(1, Math.min(wanted, MAX_GROWTH * readTo))) };
}

/** The number of prefixes that the first part of the sample ends after. Undefined: it needs more users. */
export function endOfSample(prefixes: readonly number[], target: number): number | undefined {
  if (prefixes.length < target) return undefined;
  return (prefixes.toSorted((a, b) => a - b)[target - 1] ?? 0) + 1;
}

/**
 * Groups of single prefixes behind the first `readTo`, one group a call. Their number is a power of two, and a smaller
 * number is a subset of a larger one: a table that grows keeps users of the sample.
 */
export function spreadRanges(readTo: number, users: number): PrefixRange[][] {
  if (readTo >= PREFIXES || users === 0) return [];
  const density = users / readTo;
  const count = Math.min(MAX_SPREAD, 2 ** Math.floor(Math.log2(Math.max(1, SAMPLE_USERS / density))));
  const step = PREFIXES / count;
  const ranges = Array.from({ length: count }, (_, i) => (i + 1) * step - 1)
    .filter((prefix) => prefix >= readTo)
    .map((prefix) => ({ from: prefix, to: prefix + 1 }));
  const perCall = Math.max(1, Math.floor(ROWS_PER_CALL / density));
  return Array.from({ length: Math.ceil(ranges.length / perCall) }, (_, i) =>
    ranges.slice(i * perCall, (i + 1) * perCall),
  );
}

/** The range of row keys. No key begins with `g`. */
export const keysOf = ({ from, to }: PrefixRange) => ({
  startKeyClosed: Buffer.from(toHex(from)),
  endKeyOpen: Buffer.from(to >= PREFIXES ? 'g' : toHex(to)),
});

export const prefixOf = (rowKey: string): number => Number.parseInt(rowKey.slice(0, 4), 16);

const toHex = (prefix: number): string => prefix.toString(16).padStart(4, '0');
