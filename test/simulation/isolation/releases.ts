// The manifests of one world: publications with and without a ramp, roll-backs, weights and erasures.
import { toName } from '../../../shared/domain/ids.ts';
import { makeUserHash } from '../../../shared/domain/keys.ts';
import type { Manifest, Variant } from '../../../shared/domain/manifest.ts';
import type { Chance } from '../../support/chance.ts';

/** Surfaces and variants with equal concatenations: `s` with `va`, and `sv` with `a`. */
const SURFACES = { s: ['va', 'v'], sv: ['a', 'av'], home: ['control', 'knn'], popular: ['chart', 'control'] };
const FIRST_GENERATION = 1_795_316_400_000;
const HOUR_MS = 3_600_000;

export const surfacesOf = ({ surfaces }: Manifest): Record<string, string[]> =>
  Object.fromEntries(Object.entries(surfaces).map(([name, { variants }]) => [name, variants.map((each) => each.name)]));

export function drawManifest(chance: Chance): Manifest {
  const names = Object.entries(SURFACES).filter(([name]) => name !== 'popular' || chance.is(0.7));
  const surfaces = names.map(([name, variants]) => {
    const first = chance.pick([10_000, 5_000, 9_000]);
    const listed = variants.map((variant, i) => {
      return { name: toName(variant), weight: i === 0 ? first : 10_000 - first, current: FIRST_GENERATION };
    });
    return [name, { salt: `${name}-1`, listTtlSeconds: chance.pick([2, 20, 300, 3_600]), variants: listed }] as const;
  });
  return { version: 1, surfaces: Object.fromEntries(surfaces), erasures: [] };
}

export function publish(manifest: Manifest, chance: Chance, nowMs: number): Manifest {
  const flip = { startsAtMs: nowMs, durationMs: chance.pick([0, 1_000, 30_000]) };
  return changeVariant(manifest, chance, ({ current }) => ({ previous: current, current: current + HOUR_MS, flip }));
}

export const rollBack = (manifest: Manifest, chance: Chance): Manifest =>
  changeVariant(manifest, chance, ({ current, previous }) =>
    previous === undefined ? {} : { current: previous, previous: current, flip: undefined },
  );

export function reweigh(manifest: Manifest, chance: Chance): Manifest {
  const name = chance.pick(Object.keys(manifest.surfaces));
  const surface = manifest.surfaces[name] as Manifest['surfaces'][string];
  const first = 1 + chance.below(10_000);
  const variants = surface.variants.map((each, i) => ({ ...each, weight: i === 0 ? first : 10_000 - first }));
  return next(manifest, { surfaces: { ...manifest.surfaces, [name]: { ...surface, variants } } });
}

export const erase = (manifest: Manifest, user: string, nowMs: number): Manifest =>
  next(manifest, { erasures: [...manifest.erasures, { userHash: makeUserHash(user), atMs: nowMs }] });

const next = (manifest: Manifest, change: Partial<Manifest>): Manifest => ({
  ...manifest,
  ...change,
  version: manifest.version + 1,
});

function changeVariant(manifest: Manifest, chance: Chance, change: (variant: Variant) => object): Manifest {
  const name = chance.pick(Object.keys(manifest.surfaces));
  const surface = manifest.surfaces[name] as Manifest['surfaces'][string];
  const at = chance.below(surface.variants.length);
  const variants = surface.variants.map((each, i) => (i === at ? ({ ...each, ...change(each) } as Variant) : each));
  return next(manifest, { surfaces: { ...manifest.surfaces, [name]: { ...surface, variants } } });
}
