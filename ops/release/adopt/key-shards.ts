// The shards of the row key: one for each two first hex digits of its hash, and one for keys that begin with no digit.
// Lists are spread evenly over the first, so a part of a load that is missing shows in their numbers. Pure.
import type { KeyRange } from '../../bigtable/scan-pages.ts';
import { formatCount } from '../../cli/format.ts';

/** Shards of a hash. The one behind them has keys from `g` on: no hash begins so. */
export const HASH_SHARDS = 256;
export const SHARDS = HASH_SHARDS + 1;

/** The ranges of all shards are the whole table. */
export const rangeOf = (shard: number): KeyRange => ({
  from: shard === 0 ? '' : startOf(shard),
  to: shard + 1 === SHARDS ? undefined : startOf(shard + 1),
});

const startOf = (shard: number): string => (shard === HASH_SHARDS ? 'g' : toHex(shard));
const toHex = (shard: number): string => shard.toString(16).padStart(2, '0');

/** Neighbouring shards, counted together. */
export interface ShardGroup {
  /** First two hex digits of its keys: `3a`, or `30-3f`. */
  readonly prefixes: string;
  readonly lists: number;
}

/** With fewer lists chance alone could halve a group. */
const LISTS_PER_GROUP = 64;

/** Groups of shards with enough lists each to compare them: 256 for a large load, one for a small one. */
export function groupShards(counts: readonly number[], expected: number): ShardGroup[] {
  let groups = HASH_SHARDS;
  while (groups > 1 && expected / groups < LISTS_PER_GROUP) groups /= 2;
  const width = HASH_SHARDS / groups;
  return Array.from({ length: groups }, (_, i) => {
    const [first, last] = [toHex(i * width), toHex((i + 1) * width - 1)];
    const lists = counts.slice(i * width, (i + 1) * width).reduce((sum, each) => sum + each, 0);
    return { prefixes: first === last ? first : `${first}-${last}`, lists };
  });
}

const MAX_NAMED = 10;

const medianOf = (groups: readonly ShardGroup[]): number =>
  groups.map(({ lists }) => lists).toSorted((a, b) => a - b)[groups.length >> 1] ?? 0;

/** The groups that are empty or have less than half of the median. */
export function findShort(groups: readonly ShardGroup[]): readonly ShardGroup[] {
  const median = medianOf(groups);
  return groups.filter(({ lists }) => lists === 0 || lists < median / 2);
}

/** Those groups in words. */
export function describeShortage(groups: readonly ShardGroup[]): string {
  if (groups.length < 2) return 'too few lists to tell a missing shard';
  const median = medianOf(groups);
  const short = findShort(groups);
  if (short.length === 0)
    return 'no shard of the row key is short: a part of the input that is not a part of the key is missing';
  const named = short.slice(0, MAX_NAMED).map(({ prefixes, lists }) => `${prefixes} has ${formatCount(lists)}`);
  const more = short.length > MAX_NAMED ? ` and ${short.length - MAX_NAMED} more` : '';
  const what = short.length === 1 ? 'one shard missing' : `${short.length} shards missing`;
  return `${what}: ${named.join(', ')}${more}, the median is ${formatCount(median)}`;
}
