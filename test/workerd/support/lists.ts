// Lists and manifests for tests.
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import type { ListKey } from '../../../shared/domain/keys.ts';
import type { StoredList } from '../../../shared/domain/list.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';

/** 2026-11-22T03:00:00.000Z */
export const GENERATION = 1_795_316_400_000;

/** The items `<label>:1` to `<label>:<count>`. */
export function makeList(label: string, count = 100, generation = GENERATION): StoredList {
  const items = Array.from({ length: count }, (_, i) => encodeItem(`${label}:${i + 1}`, String(1 - i / 1000)));
  return { kind: 'list', bytes: encodeUtf8(items.join(ITEM_SEPARATOR)), generation, digest: `digest-${label}` };
}

/** As makeList, with metadata of every item but the second. */
export function makeExpandedList(label: string, count = 100, generation = GENERATION): StoredList {
  const items = Array.from({ length: count }, (_, i) => {
    const item = encodeItem(`${label}:${i + 1}`, String(1 - i / 1000));
    return i === 1 ? item : `${item.slice(0, -1)},"metadata":{"title":"${label} no. ${i + 1}"}}`;
  });
  return { kind: 'list', bytes: encodeUtf8(items.join(ITEM_SEPARATOR)), generation, digest: `expanded-${label}` };
}

export const makeManifest = (overrides: Partial<Manifest> = {}): Manifest => ({
  version: 1,
  surfaces: {
    home: {
      salt: 'home-1',
      listTtlSeconds: 21_600,
      variants: [
        { name: toName('control'), weight: 10_000, current: GENERATION },
        { name: toName('knn'), weight: 0, current: GENERATION },
      ],
    },
    popular: {
      salt: 'popular-1',
      listTtlSeconds: 3_600,
      variants: [{ name: toName('chart'), weight: 10_000, current: GENERATION }],
    },
  },
  erasures: [],
  ...overrides,
});

/** The key of `user` on `surface` under makeManifest. */
export const keyOf = (
  user: string,
  surface = 'home',
  variant = surface === 'popular' ? 'chart' : 'control',
): ListKey => ({
  surface: toName(surface),
  variant: toName(variant),
  generation: GENERATION,
  user: toUserId(user),
});

/** As keyOf, for the expanded list. */
export const expandedKeyOf = (...of: Parameters<typeof keyOf>): ListKey => ({ ...keyOf(...of), expand: 'items' });
