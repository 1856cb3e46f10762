// The lineage of a variant: its published generations, newest first. A list of any other generation is never served,
// except to a read that asks for exactly that generation: an origin can know an older manifest than the edge.
import { MAX_LINEAGE, type Manifest, type Variant } from './manifest.ts';

export type Lineage = NonNullable<Variant['lineage']>;

/** Whether a list of `generation` may be served to a read of `asked`. Without a lineage every older list may. */
export const isReadable = (lineage: Lineage | undefined, asked: number, generation: number): boolean =>
  generation === asked || lineage === undefined || lineage.includes(generation);

/** The newest published generation before `generation`; undefined if there is none. */
export const publishedBefore = (lineage: Lineage, generation: number): number | undefined =>
  lineage.find((each) => each < generation);

/** The lineage after a publication of `generation`. Later generations were left, so they are not in it. */
export function extendLineage(
  generation: number,
  { lineage, current, previous }: Pick<Variant, 'lineage' | 'current' | 'previous'>,
): Lineage {
  const known = lineage ?? [current, ...(previous === undefined ? [] : [previous])];
  const older = known.filter((each) => each < generation).sort((a, b) => b - a);
  return [generation, ...older].slice(0, MAX_LINEAGE);
}

/** The lineage of a variant; undefined if the manifest has none for it. */
export function lineageOf({ surfaces }: Manifest, surface: string, variant: string): Lineage | undefined {
  const variants = Object.hasOwn(surfaces, surface) ? surfaces[surface]?.variants : undefined;
  return variants?.find(({ name }) => name === variant)?.lineage;
}
