// Names in Bigtable and in caches. A hash prefix spreads rows over all tablets, so a file sorted by user loads
// everywhere at once. The key of a cached list contains its generation, so a cached list never goes out of date.
import { murmur3, unitHash } from '../runtime/hash.ts';
import { formatGeneration, isGeneration } from './generation.ts';
import { isLoadableUser, isName, type Name, type UserId } from './ids.ts';

export const TABLES = {
  recommendations: 'recommendations',
  items: 'items',
  control: 'control',
  heartbeats: 'heartbeats',
} as const;
export const FAMILIES = { lists: 'l', metadata: 'm', control: 'c', heartbeats: 'h' } as const;
export const JSON_QUALIFIER = 'json';
/** Beside the manifest: the id of the instance that it was written for. */
export const INSTANCE_QUALIFIER = 'instance';
export const MANIFEST_ROW_KEY = 'manifest';

declare const brand: unique symbol;
/** The key of a cached list. Only makeCacheKey makes one, so every cache of lists keeps them by user. */
export type CacheKey = string & { readonly [brand]: 'cache' };

export interface ListKey {
  readonly surface: Name;
  readonly variant: Name;
  /** Milliseconds since the epoch. */
  readonly generation: number;
  readonly user: UserId;
  /** Adds each item's metadata. The expanded list has a key of its own. */
  readonly expand?: 'items' | undefined;
  /** Release of the items in an expanded list. Default: the newest metadata. */
  readonly items?: number | undefined;
  /**
   * Generation of the canary whose control cohort the user is in. The list is the same, under a key of its own: it is
   * as cold as the canary's lists. Default: none.
   */
  readonly coldFor?: number | undefined;
}

/** Whether a key from another process has only valid parts. The compiler checks the keys of this one. */
export const isListKey = ({
  surface,
  variant,
  generation,
  user,
  expand,
  items,
  coldFor,
}: { readonly [Part in keyof ListKey]?: unknown }) =>
  isName(surface) &&
  isName(variant) &&
  isMoment(generation) &&
  isLoadableUser(user) &&
  (expand === undefined || expand === 'items') &&
  (items === undefined || isMoment(items)) &&
  (coldFor === undefined || isMoment(coldFor));

const isMoment = (value: unknown): boolean => typeof value === 'number' && isGeneration(value);

/** The row of a user's lists: `hhhh#id`, 4 hex digits of the id's hash, then the id. */
export const makeRowKey = (user: UserId): string => hashed(user);

/** The row of an item, in the same form. Only a file of items or a stored list names an item, never a caller. */
export const makeItemRowKey = (id: string): string => hashed(id);

const hashed = (id: string): string => `${(murmur3(id) & 0xffff).toString(16).padStart(4, '0')}#${id}`;

/** The hash, and the `#` behind it. */
const HASH = /^[0-9a-f]{4}#/;
const HASH_CHARS = 5;

/** The id in the key of a row. Undefined for a key of another form. */
export const idOfRowKey = (rowKey: string): string | undefined =>
  HASH.test(rowKey) ? rowKey.slice(HASH_CHARS) : undefined;

/** `surface/variant`. */
export const makeListQualifier = (surface: Name, variant: Name): string => `${surface}/${variant}`;

/**
 * `surface/variant/generation/user`, then `/items` or `/items-release` if expanded, then `/cold-generation` for a
 * control cohort. Keys are unique, because no part contains `/`.
 */
export function makeCacheKey({ surface, variant, generation, user, expand, items, coldFor }: ListKey): CacheKey {
  let key = `${surface}/${variant}/${generation}/${user}`;
  if (expand !== undefined) key += items === undefined ? `/${expand}` : `/${expand}-${items}`;
  if (coldFor !== undefined) key += `/cold-${coldFor}`;
  return key as CacheKey;
}

/** The row of the `control` table with the record of a release. Rows sort by generation. */
export const makeReleaseRowKey = (surface: Name, variant: Name, generation: number): string =>
  `${makeReleaseRowKeyPrefix(surface, variant)}${formatGeneration(generation)}`;

export const makeReleaseRowKeyPrefix = (surface: Name, variant: Name): string => `release#${surface}/${variant}#`;

/** The row of the `control` table with the release of a variant that is being published. */
export const makeOpenRowKey = (surface: Name, variant: Name): string => `${OPEN_ROW_KEY_PREFIX}${surface}/${variant}`;

export const OPEN_ROW_KEY_PREFIX = 'open#';

/** The row of an origin process in the table `heartbeats`: `region#process`. */
export const makeHeartbeatRowKey = (region: string, process: string): string => `${region}#${process}`;

/** The row of the `control` table with the receipt of a load, as earlier versions wrote it. */
export const makeLoadRowKey = (surface: Name, variant: Name, generation: number): string =>
  `${makeLoadRowKeyPrefix(surface, variant)}${formatGeneration(generation)}`;

export const makeLoadRowKeyPrefix = (surface: Name, variant: Name): string => `load#${surface}/${variant}#`;

/** The user in documents of erasures: a whole number of 53 bits. A collision costs one needless miss. */
export const userHashOf = (user: string): number => Math.floor(unitHash(user) * 2 ** 53);

/** The user in the manifest's erasures, as 16 hex digits. */
export const makeUserHash = (user: string): string => userHashOf(user).toString(16).padStart(16, '0');

/** The `count - 1` row-key prefixes that split the hash space into `count` even tablets (1 to 65 536). */
export const makeInitialSplits = (count: number): string[] =>
  Array.from({ length: count - 1 }, (_, i) =>
    Math.floor(((i + 1) * 0x10000) / count)
      .toString(16)
      .padStart(4, '0'),
  );
