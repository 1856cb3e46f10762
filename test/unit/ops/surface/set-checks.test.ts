// A surface's own bounds: only known checks and possible bounds are set, and nothing else of the manifest changes.
import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../../../ops/release/checks/all.ts';
import { parseBounds, setChecks } from '../../../../ops/surface/set-checks.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { type Manifest, manifestSchema } from '../../../../shared/domain/manifest.ts';

const manifestWith = (checks?: Record<string, number>): Manifest => ({
  version: 3,
  surfaces: {
    home: {
      salt: 'home-1',
      listTtlSeconds: 60,
      ...(checks && { checks }),
      variants: [{ name: toName('control'), weight: 1, current: 1_704_078_000_000 }],
    },
  },
  erasures: [],
});

const set = (manifest: Manifest, ...pairs: string[]) => setChecks(manifest, 'home', parseBounds(pairs));

describe('bounds', () => {
  test('are added and replaced, and others stay, also of checks that this version does not know', () => {
    const next = set(manifestWith({ users: 0.8, later: 3 }), 'users=0.5', 'bytes=3');
    expect(next).toEqual(manifestWith({ users: 0.5, later: 3, bytes: 3 }));
    expect(manifestSchema.parse(next)).toEqual(next);
  });

  test('go back to the default, and the last one takes the field with it', () => {
    expect(set(manifestWith({ users: 0.8, later: 3 }), 'users=default')).toEqual(manifestWith({ later: 3 }));
    expect(set(manifestWith({ later: 3 }), 'later=default')).toEqual(manifestWith());
  });

  test('that are so already leave the same manifest', () => {
    const [none, some] = [manifestWith(), manifestWith({ users: 0.8 })];
    expect(set(none, 'users=default')).toBe(none);
    expect(set(some, 'users=0.8', 'bytes=default')).toBe(some);
  });

  test.each(['radio', 'toString', '__proto__'])('of %s, which is not live, are an error', (surface) => {
    expect(() => setChecks(manifestWith(), surface, parseBounds(['users=1']))).toThrow(
      `expected a live surface, got ${surface} (live are home)`,
    );
  });
});

describe('every check', () => {
  test.each(CHECKS.map((check) => [check.name, check] as const))(
    '%s has its default inside its range',
    (_name, check) => {
      const [least, most] = check.range;
      expect(check.defaultBound).toBeGreaterThanOrEqual(least);
      expect(check.defaultBound).toBeLessThanOrEqual(most);
      expect(parseBounds([`${check.name}=${check.defaultBound}`])).toEqual(new Map([[check.name, check.defaultBound]]));
      expect(() => parseBounds([`${check.name}=${most + 1}`])).toThrow(
        `to be from ${least} to ${most}, got ${most + 1}`,
      );
    },
  );
});
