// The change of the manifest by a publication: a pure function, so a dry run can show it.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import {
  DEFAULT_LIST_TTL_SECONDS,
  FULL_WEIGHT,
  MAX_VARIANTS,
  type Manifest,
  type Surface,
  type Variant,
} from '../../shared/domain/manifest.ts';
import { rampFraction } from '../../shared/domain/rollout.ts';

export interface Publication {
  readonly surface: Name;
  readonly variant: Name;
  /** Milliseconds since the epoch. */
  readonly generation: number;
  /** Basis points. Default: unchanged; 10 000 for a surface's first variant, 0 for a later one. */
  readonly weight?: number | undefined;
  /**
   * Duration of the move from the previous generation. Default: 0, all listeners at once. For the current generation:
   * the new duration of the ramp that is running.
   */
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

/** The reason why the publication cannot be done as it is worded, also with --force; undefined if there is none. */
export function whyImpossible(manifest: Manifest, publication: Publication, nowMs: number): string | undefined {
  const { surface, variant, generation, rampMs } = publication;
  const live = findVariant(manifest, publication);
  if (live === undefined) {
    const variants = manifest.surfaces[surface]?.variants ?? [];
    if (variants.length >= MAX_VARIANTS) {
      return `${surface} has ${MAX_VARIANTS} variants, and more are not possible: remove one with \`npx earshot variant remove\``;
    }
    return rampMs === undefined
      ? undefined
      : `--ramp has no effect: no generation of ${surface}/${variant} is live yet`;
  }
  if (rampMs === undefined || live.current !== generation) return undefined;
  const isRamping = live.flip !== undefined && rampFraction(live.flip, nowMs) < 1;
  return isRamping ? undefined : `--ramp has no effect: every listener has ${formatGeneration(generation)} already`;
}

const findVariant = (manifest: Manifest, { surface, variant }: Publication): Variant | undefined =>
  manifest.surfaces[surface]?.variants.find(({ name }) => name === variant);

/** The manifest with `publication` and the next version. The same object if nothing changes. */
export function publishGeneration(manifest: Manifest, publication: Publication, nowMs: number): Manifest {
  const { surface: surfaceName, variant: variantName, generation, rampMs } = publication;
  const surface: Surface = manifest.surfaces[surfaceName] ?? {
    salt: `${surfaceName}-1`,
    listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
    variants: [],
  };
  const existing = findVariant(manifest, publication);
  const weight = publication.weight ?? existing?.weight ?? (surface.variants.length === 0 ? FULL_WEIGHT : 0);
  const next =
    existing?.current === generation
      ? withRamp({ ...existing, weight }, rampMs, nowMs)
      : moveTo(existing, { name: variantName, weight, current: generation }, rampMs, nowMs);
  if (existing !== undefined && JSON.stringify(next) === JSON.stringify(existing)) return manifest;
  const variants =
    existing === undefined ? [...surface.variants, next] : surface.variants.map((v) => (v === existing ? next : v));
  return {
    ...manifest,
    version: manifest.version + 1,
    surfaces: { ...manifest.surfaces, [surfaceName]: { ...surface, variants } },
  };
}

function moveTo(existing: Variant | undefined, next: Variant, rampMs = 0, nowMs: number): Variant {
  if (existing === undefined) return next;
  const flip = rampMs > 0 ? { flip: { startsAtMs: nowMs, durationMs: rampMs } } : {};
  return { ...next, previous: existing.current, ...flip };
}

/**
 * The variant with a running ramp of another total duration. The share of listeners that have moved stays, so no
 * listener goes back. 0 ends the ramp.
 */
function withRamp(variant: Variant, rampMs: number | undefined, nowMs: number): Variant {
  const { flip, ...rest } = variant;
  if (rampMs === undefined || flip === undefined) return variant;
  if (rampMs === 0) return rest;
  const startsAtMs = nowMs - Math.round(rampFraction(flip, nowMs) * rampMs);
  return { ...rest, flip: { ...flip, startsAtMs, durationMs: rampMs } };
}
