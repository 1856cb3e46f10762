// The release that a check compares with: the live one, or for the live one itself the release before it.
import { publishedBefore } from '../../../shared/domain/lineage.ts';
import type { Manifest, Variant } from '../../../shared/domain/manifest.ts';
import type { Line, Release } from '../../../shared/domain/release.ts';

export function findVariant({ surfaces }: Manifest, { surface, variant }: Line): Variant | undefined {
  const variants = Object.hasOwn(surfaces, surface) ? surfaces[surface]?.variants : undefined;
  return variants?.find(({ name }) => name === variant);
}

/** Milliseconds since the epoch; undefined if there is nothing to compare with. */
export function generationToCompare(manifest: Manifest, release: Release): number | undefined {
  const live = findVariant(manifest, release);
  if (live === undefined || live.current !== release.generation) return live?.current;
  return live.lineage === undefined ? live.previous : publishedBefore(live.lineage, release.generation);
}
