import { describe, expect, test } from 'vitest';
import { erasedAtMs, fenceReason } from '../../../../../shared/domain/effects/erasure-fence.ts';
import { POPULAR_USER, toName, toUserId } from '../../../../../shared/domain/ids.ts';
import { type ListKey, makeUserHash } from '../../../../../shared/domain/keys.ts';
import type { Manifest, Variant } from '../../../../../shared/domain/manifest.ts';
import { chooseGeneration } from '../../../../../shared/domain/rollout.ts';

const OLD = 1_795_316_400_000;
const NEW = 1_795_402_800_000;
const NOW_MS = 1_795_410_000_000;

const manifestOf = (variant: Partial<Variant> = {}, erasures: Manifest['erasures'] = []): Manifest => ({
  version: 1,
  surfaces: {
    home: {
      salt: 'h',
      listTtlSeconds: 60,
      variants: [{ name: toName('control'), weight: 1, current: NEW, ...variant }],
    },
  },
  erasures,
});
const erasure = (user: string, atMs: number) => ({ userHash: makeUserHash(user), atMs });
const keyOf = (user: string, generation = NEW): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation,
  user: toUserId(user),
});

describe('erasedAtMs', () => {
  test("is the time of the user's last erasure, in any order of erasures", () => {
    const manifest = manifestOf({}, [
      erasure('ann', 300),
      erasure('bob', 900),
      erasure('ann', 500),
      erasure('ann', 400),
    ]);
    expect(['ann', 'bob', 'eve'].map((user) => erasedAtMs(manifest, user))).toEqual([500, 900, 0]);
  });

  test('is 0 for all users without erasures', () => {
    expect(erasedAtMs(manifestOf(), 'ann')).toBe(0);
  });

  test('uses the given manifest, and not an earlier one', () => {
    const [before, after] = [manifestOf({}, [erasure('ann', 1)]), manifestOf({}, [erasure('ann', 2)])];
    expect([before, after, before].map((manifest) => erasedAtMs(manifest, 'ann'))).toEqual([1, 2, 1]);
  });
});

describe('a load', () => {
  test("is fenced if it began before its user's erasure, and not if it began then or later", () => {
    const manifest = manifestOf({}, [erasure('ann', 1_000)]);
    const why = (user: string, startedAtMs: number) => fenceReason(manifest, keyOf(user), startedAtMs, NOW_MS);
    expect([why('ann', 999), why('ann', 1_000), why('bob', 999)]).toEqual(['erased', undefined, undefined]);
  });

  test('is fenced if its generation, variant or surface is not live any more', () => {
    const manifest = manifestOf({ previous: OLD });
    const why = (key: ListKey) => fenceReason(manifest, key, NOW_MS, NOW_MS);
    expect(why(keyOf('ann'))).toBeUndefined();
    expect(why(keyOf('ann', OLD))).toBe('superseded');
    expect(why({ ...keyOf('ann'), variant: toName('knn') })).toBe('superseded');
    expect(why({ ...keyOf('ann'), surface: toName('elsewhere') })).toBe('superseded');
    expect(why({ ...keyOf('ann'), surface: toName('constructor') })).toBe('superseded');
  });

  test('is fenced during a ramp for users of the other generation', () => {
    const flip = { startsAtMs: NOW_MS - 500, durationMs: 1_000 };
    const manifest = manifestOf({ previous: OLD, flip });
    const variant = manifest.surfaces.home?.variants[0] as Variant;
    for (const user of Array.from({ length: 100 }, (_, i) => `u${i}`)) {
      const on = chooseGeneration(variant, user, NOW_MS);
      expect(fenceReason(manifest, keyOf(user, on), NOW_MS, NOW_MS)).toBeUndefined();
      expect(fenceReason(manifest, keyOf(user, on === NEW ? OLD : NEW), NOW_MS, NOW_MS)).toBe('superseded');
    }
  });

  test('is not fenced for the popular list during a ramp, because users of both generations read it', () => {
    const why = (generation: number, elapsedMs: number) => {
      const flip = { startsAtMs: NOW_MS - elapsedMs, durationMs: 1_000 };
      return fenceReason(manifestOf({ previous: OLD, flip }), keyOf(POPULAR_USER, generation), NOW_MS, NOW_MS);
    };
    expect([1, 500, 999].flatMap((elapsedMs) => [why(OLD, elapsedMs), why(NEW, elapsedMs)])).toEqual(
      Array(6).fill(undefined),
    );
    expect([why(OLD, -1), why(NEW, -1)]).toEqual([undefined, 'superseded']);
    expect([why(OLD, 1_000), why(NEW, 1_000)]).toEqual(['superseded', undefined]);
  });

  test('is fenced for the popular list after its erasure, and for a generation without users', () => {
    const manifest = manifestOf({ previous: OLD }, [erasure(POPULAR_USER, 1_000)]);
    expect(fenceReason(manifest, keyOf(POPULAR_USER), 999, NOW_MS)).toBe('erased');
    expect(fenceReason(manifest, keyOf(POPULAR_USER, OLD), 1_000, NOW_MS)).toBe('superseded');
    expect(fenceReason(manifest, keyOf(POPULAR_USER), 1_000, NOW_MS)).toBeUndefined();
  });
});
