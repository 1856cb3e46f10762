// The change of the manifest by the removal of a surface: a pure function, so a dry run can show it.
import { isLive } from '../../shared/domain/experiments/schema.ts';
import { POPULAR_SURFACE } from '../../shared/domain/ids.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

/**
 * The manifest without the surface. Throws an Error for an unknown surface, for one with a live
 * experiment, and without `force`.
 */
export function removeSurface(manifest: Manifest, name: string, force: boolean): Manifest {
  const { [name]: surface, ...others } = manifest.surfaces;
  const names = Object.keys(manifest.surfaces);
  if (surface === undefined) {
    const live = names.length === 0 ? 'nothing is live' : `live are ${names.join(', ')}`;
    throw new Error(`expected a live surface, got ${name} (${live})`);
  }
  const experiment = Object.entries(manifest.experiments ?? {}).find(
    ([, each]) => isLive(each) && each.surface === name,
  );
  if (experiment !== undefined) {
    throw new Error(`${name} has the experiment ${experiment[0]}: stop it with \`npx earshot experiment stop\` first`);
  }
  if (!force) throw new Error(`${lossOf(name, Object.keys(others))} (--force removes it anyway)`);
  return { ...manifest, surfaces: others };
}

function lossOf(name: string, others: readonly string[]): string {
  const loss = `every read of ${name} would answer 404 unknown_surface`;
  if (name !== POPULAR_SURFACE || others.length === 0) return loss;
  return `${loss}, and ${others.join(', ')} would lose the popular list that stands in for missing lists`;
}
