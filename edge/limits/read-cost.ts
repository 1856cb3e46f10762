// The cost of reads in tokens. A batch costs as much as its reads one by one; a read of more work costs more. Pure.
import type { Read } from '../reads/fallback.ts';

/** An expanded list needs a second table, and is about ten times larger. */
const EXPANDED_COST = 5;
/** Bytes that one token pays for: a list of 100 items has about 4 KB. */
const BYTES_PER_TOKEN = 16_384;

export const costOf = (reads: readonly Pick<Read, 'expand'>[]): number =>
  reads.reduce((cost, { expand }) => cost + (expand === undefined ? 1 : EXPANDED_COST), 0);

/** Tokens for the bytes of an answer beyond those that its reads have paid for. */
export const costOfBytes = (bytes: number, paid: number): number =>
  Math.max(0, Math.ceil(bytes / BYTES_PER_TOKEN) - paid);
