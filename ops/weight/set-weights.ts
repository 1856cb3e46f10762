// The change of the manifest by new weights: a pure function, so a dry run can show it.
import { FULL_WEIGHT, type Manifest } from '../../shared/domain/manifest.ts';

/** New weights by variant, in any unit. */
export type Weights = ReadonlyMap<string, number>;

/**
 * The manifest with the weights of `surface`, as basis points. Only weights change: every variant keeps its generation.
 * The same object if nothing changes. Throws an Error for an unknown name, and for a variant with a weight that
 * `weights` does not name: its share would change by accident.
 */
export function setWeights(manifest: Manifest, surfaceName: string, weights: Weights): Manifest {
  const surface = manifest.surfaces[surfaceName];
  if (surface === undefined)
    throw new Error(`expected a live surface, got ${surfaceName} (${namesOf(manifest.surfaces)})`);
  const names: readonly string[] = surface.variants.map(({ name }) => name);
  const unknown = [...weights.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`expected a live variant of ${surfaceName}, got ${unknown} (live are ${names.join(', ')})`);
  const missing = surface.variants.find(({ name, weight }) => weight > 0 && !weights.has(name));
  if (missing !== undefined) {
    throw new Error(
      `expected a weight for every variant with listeners, got none for ${missing.name}: 0 takes them away`,
    );
  }
  const points = toBasisPoints(weights);
  const variants = surface.variants.map((each) => ({ ...each, weight: points.get(each.name) ?? each.weight }));
  if (variants.every(({ weight }, i) => weight === surface.variants[i]?.weight)) return manifest;
  return { ...manifest, surfaces: { ...manifest.surfaces, [surfaceName]: { ...surface, variants } } };
}

/**
 * Basis points that sum to 10 000, by the largest remainder. A weight above 0 gets at least 1. Multiplying all weights
 * by one factor moves no listener (docs/decisions/0007).
 */
export function toBasisPoints(weights: Weights): Map<string, number> {
  const sum = [...weights.values()].reduce((total, weight) => total + weight, 0);
  if (sum === 0) throw new Error('expected at least one weight above 0, got none');
  const exact = [...weights].map(([name, weight]) => ({ name, weight, points: (weight * FULL_WEIGHT) / sum }));
  const points = new Map(exact.map((each) => [each.name, Math.floor(each.points)]));
  const left = FULL_WEIGHT - [...points.values()].reduce((total, each) => total + each, 0);
  const byRemainder = exact.toSorted((a, b) => (b.points % 1) - (a.points % 1));
  for (const { name } of byRemainder.slice(0, left)) points.set(name, (points.get(name) ?? 0) + 1);
  for (const { name, weight } of exact) if (weight > 0 && points.get(name) === 0) points.set(name, 1);
  return points;
}

const namesOf = (surfaces: Manifest['surfaces']): string =>
  Object.keys(surfaces).length === 0 ? 'none is' : `live are ${Object.keys(surfaces).join(', ')}`;
