// The shard of a user among a region's objects. Pinned, because a change would empty the objects' caches at once.

import { describe, expect, test } from 'vitest';
import { chooseShard, shardName } from '../../../edge/region/shard.ts';
import { toUserId } from '../../../shared/domain/ids.ts';

const USERS = Array.from({ length: 40_000 }, (_, i) => `lastfm:${i}`);
const assign = (shards: number): number[] => USERS.map((user) => chooseShard(toUserId(user), shards));

describe('chooseShard', () => {
  test.each([2, 3, 8])('deals users out to %i shards evenly, within five per cent', (shards) => {
    const counts = Array<number>(shards).fill(0);
    for (const shard of assign(shards)) counts[shard] = (counts[shard] ?? 0) + 1;
    const even = USERS.length / shards;
    for (const count of counts) expect(Math.abs(count / even - 1)).toBeLessThan(0.05);
  });

  test.each([1, 3, 8])(
    'moves, with one shard more than %i, only the users that the new one gets, which is its share',
    (shards) => {
      const [before, after] = [assign(shards), assign(shards + 1)];
      const moved = USERS.map((_, i) => i).filter((i) => before[i] !== after[i]);
      expect(new Set(moved.map((i) => after[i]))).toEqual(new Set([shards]));
      expect(Math.abs((moved.length / USERS.length) * (shards + 1) - 1)).toBeLessThan(0.05);
    },
  );

  test('maps all users to the only shard', () => {
    expect(new Set(assign(1))).toEqual(new Set([0]));
  });

  test('is the same for a user at any time', () => {
    expect(VECTORS.map(([user]) => [user, ...COUNTS.map((shards) => chooseShard(toUserId(user), shards))])).toEqual(
      VECTORS,
    );
  });
});

test('an object is named by its region and its shard', () => {
  expect(shardName({ name: 'asia' }, 7)).toBe('asia/7');
});

test('another epoch gives every object of its region another name', () => {
  expect(shardName({ name: 'asia', objectEpoch: 2 }, 7)).toBe('asia@2/7');
});

const COUNTS = [2, 8, 256] as const;
/** The shard of each user among 2, 8 and 256. */
const VECTORS = [
  ['a', 0, 4, 81],
  ['A', 1, 3, 214],
  ['..', 1, 1, 225],
  ['lastfm:2', 1, 7, 9],
  ['~popular', 1, 1, 12],
  ['1', 1, 5, 17],
  ['x'.repeat(128), 0, 0, 205],
] as const;
