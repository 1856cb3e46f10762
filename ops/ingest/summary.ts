// The summary of a load, while it is written: how many lists, how long they are, and a checksum.
import { formatChecksum } from '../bigtable/checksum.ts';
import type { ReleaseSummary } from '../bigtable/release-record.ts';

/** The part of a list in a summary. */
export interface Counted {
  readonly items: number;
  readonly bytes: number;
  readonly checksum: readonly [number, number];
}

export interface Summary {
  /** `checksum`: of row key and value (checksumOf). */
  add(value: string | Buffer, checksum: readonly [number, number]): Counted;
  /** A list that was added is deleted again. The largest values stay. */
  remove(counted: Counted): void;
  get(rejects: number): ReleaseSummary;
}

const SEPARATOR = '\n';
/** Counts are exact up to this value, and within 2 % above it. */
const EXACT = 128;
const STEPS_PER_DOUBLING = 32;
const WORD = 2 ** 32;

export function createSummary(): Summary {
  const items = createSpread();
  const bytes = createSpread();
  let lists = 0;
  let checksum: [number, number] = [0, 0];

  function count(counted: Counted, times: 1 | -1): void {
    const [first, second] = counted.checksum;
    lists += times;
    items.add(counted.items, times);
    bytes.add(counted.bytes, times);
    checksum = [(checksum[0] + times * first + WORD) % WORD, (checksum[1] + times * second + WORD) % WORD];
  }

  return {
    add: (value, sum) => {
      const counted = { items: countItems(value), bytes: value.length, checksum: sum };
      count(counted, 1);
      return counted;
    },
    remove: (counted) => count(counted, -1),
    get: (rejects) => ({
      lists,
      rejects,
      items: items.get(),
      bytes: bytes.get(),
      checksum: formatChecksum(checksum),
    }),
  };
}

/** In the stored form an item is a line, and an empty list has none. */
function countItems(value: string | Buffer): number {
  if (value.length === 0) return 0;
  let count = 1;
  for (let at = value.indexOf(SEPARATOR); at !== -1; at = value.indexOf(SEPARATOR, at + 1)) count++;
  return count;
}

/** Quantiles of whole numbers, in a bounded number of buckets. */
function createSpread() {
  const buckets: number[] = [];
  let count = 0;
  let max = 0;
  const valueAt = (quantile: number): number => {
    let left = Math.max(1, Math.ceil(quantile * count));
    const at = buckets.findIndex((each = 0) => {
      left -= each;
      return left <= 0;
    });
    return at === -1 ? 0 : Math.min(max, startOf(at));
  };
  return {
    add: (value: number, times: 1 | -1): void => {
      const bucket = bucketOf(value);
      buckets[bucket] = (buckets[bucket] ?? 0) + times;
      count += times;
      max = Math.max(max, value);
    },
    get: () => ({ p50: valueAt(0.5), p99: valueAt(0.99), max }),
  };
}

const bucketOf = (value: number): number =>
  value < EXACT ? value : EXACT + Math.round(Math.log2(value / EXACT) * STEPS_PER_DOUBLING);

const startOf = (bucket: number): number =>
  bucket < EXACT ? bucket : Math.round(EXACT * 2 ** ((bucket - EXACT) / STEPS_PER_DOUBLING));
