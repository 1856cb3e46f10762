// What publishing does to the manifest: a pure function, so that it can be shown before it is done.
import { DEFAULT_LIST_TTL_SECONDS, FULL_WEIGHT, type Manifest, type Variant } from '../shared/manifest.ts';

export interface Publication {
  readonly surface: string;
  readonly variant: string;
  /** Milliseconds since the epoch. */
  readonly generation: number;
  /** Basis points. Default: unchanged; all for a surface's first variant, none for a later one. */
  readonly weight?: number | undefined;
  /** Over how long listeners move from the generation before. Default: 0, all at once. */
  readonly rampMs?: number | undefined;
}

/** The manifest with `publication` in it and the next version; the same object when it would change nothing. */
export function publishGeneration(manifest: Manifest, publication: Publication, nowMs: number): Manifest {
  const { surface: surfaceName, variant: variantName, generation, rampMs = 0 } = publication;
  const surface = manifest.surfaces[surfaceName] ?? {
    salt: `${surfaceName}-1`,
    listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
    variants: [],
  };
  const existing = surface.variants.find(({ name }) => name === variantName);
  const weight = publication.weight ?? existing?.weight ?? (surface.variants.length === 0 ? FULL_WEIGHT : 0);
  if (existing !== undefined && existing.current === generation && existing.weight === weight) return manifest;

  const next: Variant =
    existing === undefined || existing.current === generation
      ? { ...existing, name: variantName, weight, current: generation }
      : {
          name: variantName,
          weight,
          current: generation,
          previous: existing.current,
          ...(rampMs > 0 ? { flip: { startsAtMs: nowMs, durationMs: rampMs } } : {}),
        };
  const variants =
    existing === undefined ? [...surface.variants, next] : surface.variants.map((v) => (v === existing ? next : v));
  return {
    ...manifest,
    version: manifest.version + 1,
    surfaces: { ...manifest.surfaces, [surfaceName]: { ...surface, variants } },
  };
}
