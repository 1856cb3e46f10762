// Stored formats and visible decisions must never change: vectors.json comes from another implementation in another
// language.

import { describe, expect, test } from 'vitest';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { makeRowKey, makeUserHash } from '../../../../shared/domain/keys.ts';
import { chooseGeneration, chooseVariant } from '../../../../shared/domain/rollout.ts';
import vectors from './vectors.json' with { type: 'json' };

const GENERATION = 1_795_000_000_000;

describe('vectors', () => {
  test.each(vectors.rowKeys)('the row of $id is $rowKey', ({ id, rowKey }) => {
    expect(makeRowKey(toUserId(id))).toBe(rowKey);
  });

  test.each(vectors.userHashes)('an erasure names $user as $userHash', ({ user, userHash }) => {
    expect(makeUserHash(user)).toBe(userHash);
  });

  test.each(vectors.variants)('$user is on $variant with salt $salt', ({ salt, weights, user, variant }) => {
    const variants = Object.entries(weights).map(([name, weight]) => ({
      name: toName(name),
      weight,
      current: GENERATION,
    }));
    expect(chooseVariant({ salt, variants }, user).name).toBe(variant);
  });

  test.each(vectors.ramps)(
    'a flip to $current reaches $user at $reachedAt of its time',
    ({ current, user, reachedAt }) => {
      const durationMs = 1_000_000_000;
      const variant = {
        name: toName('control'),
        weight: 1,
        current,
        previous: GENERATION,
        flip: { startsAtMs: 0, durationMs },
      };
      expect(chooseGeneration(variant, user, Math.floor(reachedAt * durationMs))).toBe(GENERATION);
      expect(chooseGeneration(variant, user, Math.ceil(reachedAt * durationMs) + 1)).toBe(current);
    },
  );
});
