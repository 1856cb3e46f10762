// The changes that are no experiment's: holdouts, when users count, and whether another system assigns. Pure functions.
import { HOLDOUT_SALT, type Holdouts } from '../../shared/domain/experiments/schema.ts';
import type { Manifest, Surface } from '../../shared/domain/manifest.ts';

/**
 * The holdout of a surface, or of all surfaces. A growing one takes more users, and none leaves it. 0 ends it; the next
 * one draws other users. Throws an Error for a surface that is not live.
 */
export function setHoldout(live: Manifest, surface: string | undefined, share: number): Manifest {
  const { global, surfaces = {} } = live.holdouts ?? {};
  if (surface === undefined)
    return { ...live, holdouts: { ...live.holdouts, global: withShare(global, HOLDOUT_SALT, share) } };
  requireSurface(live, surface);
  const own = withShare(surfaces[surface], `${HOLDOUT_SALT}-${surface}`, share);
  return { ...live, holdouts: { ...live.holdouts, surfaces: { ...surfaces, [surface]: own } } };
}

type Holdout = NonNullable<Holdouts['global']>;

function withShare(known: Holdout | undefined, base: string, share: number): Holdout {
  if (known === undefined) return { salt: `${base}-1`, share };
  if (known.share > 0 || share === 0) return { ...known, share };
  const times = Number(/-(\d+)$/.exec(known.salt)?.[1] ?? 1);
  return { ...known, salt: `${base}-${times + 1}`, share };
}

/** When a user of the surface counts. Throws an Error for a surface that is not live. */
export const setExposure = (live: Manifest, surface: string, exposure: 'shown' | 'served'): Manifest =>
  changeSurface(live, surface, { exposure });

/** Whether a signed claim may name the variant. Throws an Error for a surface that is not live. */
export const setOutsideArms = (live: Manifest, surface: string, outsideArms: boolean): Manifest =>
  changeSurface(live, surface, { outsideArms });

const changeSurface = (live: Manifest, name: string, change: Partial<Surface>): Manifest => ({
  ...live,
  surfaces: { ...live.surfaces, [name]: { ...requireSurface(live, name), ...change } },
});

function requireSurface({ surfaces }: Manifest, name: string): Surface {
  const surface = Object.hasOwn(surfaces, name) ? surfaces[name] : undefined;
  if (surface !== undefined) return surface;
  throw new Error(`expected a live surface, got ${name} (live are ${Object.keys(surfaces).join(', ') || 'none'})`);
}
