// The erasures in the manifest itself: the newest, each user once, bounded.
import { expect, test } from 'vitest';
import { MAX_IN_MANIFEST, newestErasures } from '../../../../ops/manifest/known-erasures.ts';
import { KEEP_ERASURE_MS } from '../../../../shared/domain/effects/erasure-document.ts';
import { MAX_MANIFEST_BYTES } from '../../../../shared/domain/manifest.ts';

const NOW_MS = 1_800_000_000_000;
const erasure = (i: number, atMs: number) => ({ userHash: i.toString(16).padStart(16, '0'), atMs });

test('of many versions with hundreds of erasures each, the newest stay, and fit into a manifest', () => {
  const all = Array.from({ length: 20_000 }, (_, i) => erasure(i, NOW_MS - i));
  const kept = newestErasures(all, NOW_MS);
  expect(kept).toEqual(all.slice(0, MAX_IN_MANIFEST));
  expect(JSON.stringify(kept).length).toBeLessThan(MAX_MANIFEST_BYTES / 4);
});

test('each user once, with the latest moment; those that are over are gone', () => {
  const over = erasure(2, NOW_MS - KEEP_ERASURE_MS);
  expect(newestErasures([erasure(1, NOW_MS - 5), erasure(1, NOW_MS), erasure(1, NOW_MS - 9), over], NOW_MS)).toEqual([
    erasure(1, NOW_MS),
  ]);
});

test('without documents all stay: nothing else remembers them', () => {
  const all = Array.from({ length: 2_000 }, (_, i) => erasure(i, NOW_MS - i));
  expect(newestErasures(all, NOW_MS, all.length)).toHaveLength(2_000);
});
