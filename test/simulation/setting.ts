// Setting of one run: users, surfaces, lifetimes and sizes, drawn from the seed. Names are chosen to collide under
// careless key concatenation.
import type { EdgeConfig } from '../../edge/config.ts';
import { POPULAR_USER, toName } from '../../shared/domain/ids.ts';
import type { Manifest, Surface } from '../../shared/domain/manifest.ts';
import type { Chance } from '../support/chance.ts';

/** Level of faults: none; caches and region objects; these and origins. */
export type Trouble = 'none' | 'caches' | 'all';

export interface Setting {
  readonly trouble: Trouble;
  /** Listeners; neighbours in the pool below, so that their names are similar. */
  readonly users: readonly string[];
  /** The target of most reads, so that they meet. */
  readonly hot: { readonly user: string; readonly surface: string };
  readonly manifest: Manifest;
  readonly config: EdgeConfig;
  /** Maximum travel time between two places in milliseconds, without faults. */
  readonly legMs: number;
  /** Lifetime of values in an origin's memory in milliseconds; 0: origins cache nothing. */
  readonly originMemoryMs: number;
  /** Whether memory has room for all entries. */
  readonly isRoomy: boolean;
}

const USERS: readonly string[] = [
  ...['a', 'A', 'a.', '.', '..', '...', '-', '--', 'a-', 'a-a', 'a:b', 'a@b', 'a.b', 'a_b', '_'],
  ...['1', '01', '1e3', '1000', '-1', '0', '-0', 'NaN', 'null', 'undefined', '__proto__', 'constructor', 'toString'],
  ...[
    'va',
    'v',
    'av',
    'control',
    'popular',
    'popular~',
    `a${POPULAR_USER}`,
    ':~popular',
    'x'.repeat(127),
    'x'.repeat(128),
  ],
];

/** Surfaces and variants with equal concatenations: `s` with `va`, and `sv` with `a`. */
const SHAPES: readonly (readonly [surface: string, variants: readonly string[]][])[] = [
  [
    ['s', ['va', 'v']],
    ['sv', ['a', 'av']],
  ],
  [
    ['s', ['va']],
    ['sv', ['a', 'va']],
    ['popular', ['a']],
  ],
  [
    ['home', ['control', 'knn']],
    ['popular', ['control']],
  ],
  [['a', ['a', 'a-']]],
];

const WEIGHTS: readonly (readonly [number, number])[] = [
  [10_000, 0],
  [5_000, 5_000],
  [9_000, 1_000],
];

export const FIRST_GENERATION = 1_795_316_400_000;
export const ROOMY_BYTES = 1_000_000;

export function drawSetting(chance: Chance, base: EdgeConfig): Setting {
  const from = chance.below(USERS.length);
  const users = [0, 1, 2].map((i) => USERS[(from + i) % USERS.length] as string);
  const isRoomy = chance.is(0.7);
  const surfaces = drawSurfaces(chance);
  return {
    trouble: chance.pick(['none', 'none', 'caches', 'all', 'all']),
    users,
    hot: { user: users[0] as string, surface: chance.pick(Object.keys(surfaces)) },
    manifest: { version: 1, surfaces, erasures: [] },
    legMs: chance.pick([2, 30, 30, 120]),
    originMemoryMs: chance.pick([0, 2_000, 60_000, 86_400_000]),
    isRoomy,
    config: {
      ...base,
      regionTier: chance.is(0.15) ? 'off' : 'on',
      regionShards: chance.pick([1, 2]),
      isolateCacheBytes: isRoomy ? ROOMY_BYTES : 4_000,
      regionCacheBytes: isRoomy ? ROOMY_BYTES : 2_000,
    },
  };
}

function drawSurfaces(chance: Chance): Record<string, Surface> {
  const surfaces: Record<string, Surface> = {};
  for (const [name, variants] of chance.pick(SHAPES)) {
    const weights = chance.pick(WEIGHTS);
    surfaces[name] = {
      salt: `${name}-1`,
      listTtlSeconds: chance.pick([60, 60, 60, 3_600, 21_600]),
      variants: variants.map((variant, i) => ({
        name: toName(variant),
        weight: weights[i] as number,
        current: FIRST_GENERATION,
        ...(chance.is(0.2) ? { previous: FIRST_GENERATION - 86_400_000 } : {}),
      })),
    };
  }
  return surfaces;
}
