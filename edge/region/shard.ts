// The object of a region that holds a user, by rendezvous hashing: an additional shard moves only the users that it
// gets. Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
// Networking, 1998.
import type { UserId } from '../../shared/domain/ids.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';

/** A whole number from 0 to `shards` - 1, the same for all lists of one user. */
export function chooseShard(user: UserId, shards: number): number {
  let chosen = 0;
  let highest = -1;
  for (let shard = 0; shard < shards; shard++) {
    const score = murmur3(`${shard}/${user}`, SEED);
    if (score <= highest) continue;
    highest = score;
    chosen = shard;
  }
  return chosen;
}

/** Differs from the seeds of row keys, variants and ramps, so a shard is not a slice of a tablet or of a variant. */
const SEED = 0x5851f42d;

/** Another epoch is another object: the platform places an object once. */
export const shardName = ({ name, objectEpoch }: Pick<Region, 'name' | 'objectEpoch'>, shard: number): string =>
  objectEpoch === undefined ? `${name}/${shard}` : `${name}@${objectEpoch}/${shard}`;
