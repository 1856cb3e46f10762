// The contract of every tier.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Tier } from '../../../edge/tiers/tier.ts';
import type { Entry } from '../../../shared/caching/entry.ts';
import { makeCacheKey } from '../../../shared/domain/keys.ts';
import { keyOf, makeList } from '../support/lists.ts';

/** `make` builds an empty tier whose clock is at `nowMs`. */
export function tierContract(name: string, make: () => { tier: Tier; nowMs: number }): void {
  describe(`the tier ${name}`, () => {
    let tier: Tier;
    let nowMs: number;
    const key = makeCacheKey(keyOf('ann'));

    const entryOf = (value: Entry['value']): Entry => ({
      value,
      storedAtMs: nowMs,
      loadMs: 12,
      freshUntilMs: nowMs + 60_000,
      revalidateUntilMs: nowMs + 90_000,
      staleUntilMs: nowMs + 120_000,
    });

    beforeEach(() => {
      ({ tier, nowMs } = make());
    });

    test('has its name', () => {
      expect(tier.name).toBe(name);
    });

    test('holds nothing at first', async () => {
      expect(await tier.get(key)).toBeUndefined();
    });

    test.each([
      ['a list', makeList('a')],
      ['a list of no items', makeList('e', 0)],
      ['absence', { kind: 'absent' }],
    ] as const)('gives back %s as it was stored, times included', async (_, value) => {
      await tier.set(key, entryOf(value));
      expect(await tier.get(key)).toEqual(entryOf(value));
      expect(await tier.get(key)).toEqual(entryOf(value));
    });

    test('keeps bytes that are not text', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await tier.set(key, entryOf({ ...makeList('a'), bytes }));
      expect(await tier.get(key)).toEqual(entryOf({ ...makeList('a'), bytes }));
    });

    test('stores a part of a larger buffer as that part alone', async () => {
      const buffer = new Uint8Array([9, 9, 1, 2, 3, 9, 9]);
      await tier.set(key, entryOf({ ...makeList('a'), bytes: buffer.subarray(2, 5) }));
      buffer.fill(0);
      const entry = await tier.get(key);
      const bytes = entry?.value.kind === 'list' ? entry.value.bytes : undefined;
      expect([...(bytes ?? [])]).toEqual([1, 2, 3]);
      expect(bytes?.buffer.byteLength).toBe(3);
    });

    test('replaces an earlier entry', async () => {
      await tier.set(key, entryOf(makeList('old')));
      await tier.set(key, entryOf(makeList('new', 3)));
      expect(await tier.get(key)).toEqual(entryOf(makeList('new', 3)));
    });

    test('keeps keys apart that a URL or a careless join would confuse', async () => {
      const users = ['a', 'A', 'a.', '.', '..', '...', '-', '~popular', 'a:b', 'a@b', 'b'];
      const keys = users.flatMap((user) => [makeCacheKey(keyOf(user)), makeCacheKey(keyOf(user, 'popular'))]);
      for (const [i, each] of keys.entries()) await tier.set(each, entryOf(makeList(`l${i}`, 1)));
      for (const [i, each] of keys.entries()) expect(await tier.get(each)).toEqual(entryOf(makeList(`l${i}`, 1)));
    });
  });
}
