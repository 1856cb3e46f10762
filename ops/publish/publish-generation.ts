// The change of the manifest by a publication: a pure function, so a dry run can show it.
import { formatGeneration } from '../../shared/domain/generation.ts';
import { DEFAULT_LIST_TTL_SECONDS, FULL_WEIGHT, type Manifest, type Variant } from '../../shared/domain/manifest.ts';
import { rampFraction } from '../../shared/domain/rollout.ts';

export interface Publication {
  readonly surface: string;
  readonly variant: string;
  /** Milliseconds since the epoch. */
  readonly generation: number;
  /** Basis points. Default: unchanged; 10 000 for a surface's first variant, 0 for a later one. */
  readonly weight?: number | undefined;
  /** Duration of the move from the previous generation. Default: 0, all listeners at once. */
  readonly rampMs?: number | undefined;
}

/** The reason to wait with the publication; undefined if there is none. */
export function whyNotPublish(manifest: Manifest, publication: Publication, nowMs: number): string | undefined {
  const live = findVariant(manifest, publication);
  if (live?.flip === undefined || live.current === publication.generation) return undefined;
  if (rampFraction(live.flip, nowMs) === 1) return undefined;
  const overAt = new Date(live.flip.startsAtMs + live.flip.durationMs).toISOString();
  return `the flip to ${formatGeneration(live.current)} runs until ${overAt}, and another flip would move all listeners at once`;
}

const findVariant = (manifest: Manifest, { surface, variant }: Publication): Variant | undefined =>
  manifest.surfaces[surface]?.variants.find(({ name }) => name === variant);

/** Whether listeners move from a live generation, so a ramp has an effect. */
export const canRamp = (manifest: Manifest, publication: Publication): boolean =>
  (findVariant(manifest, publication)?.current ?? publication.generation) !== publication.generation;

/** The manifest with `publication` and the next version. The same object if nothing changes. */
export function publishGeneration(manifest: Manifest, publication: Publication, nowMs: number): Manifest {
  const { surface: surfaceName, variant: variantName, generation, rampMs = 0 } = publication;
  const surface = manifest.surfaces[surfaceName] ?? {
    salt: `${surfaceName}-1`,
    listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
    variants: [],
  };
  const existing = findVariant(manifest, publication);
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
