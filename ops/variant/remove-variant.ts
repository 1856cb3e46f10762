// The change of the manifest by the removal of a variant: a pure function, so a dry run can show it.
import { controlOf } from '../../shared/domain/experiments/assign.ts';
import { isLive } from '../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

/** The manifest without the variant. Throws an Error while listeners have the variant, and for an unknown one. */
export function removeVariant(manifest: Manifest, surfaceName: string, variantName: string): Manifest {
  const surface = manifest.surfaces[surfaceName];
  const variant = surface?.variants.find(({ name }) => name === variantName);
  if (surface === undefined || variant === undefined) {
    const names = surface === undefined ? Object.keys(manifest.surfaces) : surface.variants.map(({ name }) => name);
    const live = names.length === 0 ? 'nothing is live' : `live are ${names.join(', ')}`;
    throw new Error(`expected a live variant, got ${surfaceName}/${variantName} (${live})`);
  }
  if (surface.variants.length === 1) {
    throw new Error(
      `${surfaceName}/${variantName} is the only variant: to take the surface away, use \`npx earshot surface remove ${surfaceName}\``,
    );
  }
  if (variant.weight > 0) {
    throw new Error(
      `${surfaceName}/${variantName} has listeners (weight ${variant.weight}): give them to another variant with \`npx earshot weight\` first`,
    );
  }
  const experiment = Object.entries(manifest.experiments ?? {}).find(
    ([, each]) => isLive(each) && each.surface === surfaceName && each.arms.some((arm) => arm.variant === variantName),
  );
  if (experiment !== undefined) {
    throw new Error(
      `${surfaceName}/${variantName} is an arm of ${experiment[0]}: stop it with \`npx earshot experiment stop\` first`,
    );
  }
  const { global, surfaces: holdouts = {} } = manifest.holdouts ?? {};
  const isHeldOut = [global, holdouts[surfaceName]].some((holdout) => (holdout?.share ?? 0) > 0);
  if (isHeldOut && controlOf(surface) === variant) {
    throw new Error(
      `${surfaceName}/${variantName} is what users of the holdout get: end it with \`npx earshot experiment holdout 0\` first`,
    );
  }
  const variants = surface.variants.filter((each) => each !== variant);
  return { ...manifest, surfaces: { ...manifest.surfaces, [surfaceName]: { ...surface, variants } } };
}
