// Checks that the lists of a manifest's generations exist: loaded completely, still kept by Bigtable, and not left.
import { controlOf } from '../../shared/domain/experiments/assign.ts';
import { isLive } from '../../shared/domain/experiments/schema.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName } from '../../shared/domain/ids.ts';
import type { Manifest, Variant } from '../../shared/domain/manifest.ts';
import { isGenerationServed } from '../../shared/domain/rollout.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { newestKept } from '../bigtable/kept-generations.ts';
import { hasLists, isWhole, listReleases, type RecordedRelease } from '../bigtable/release-record.ts';

/** One sentence for each generation with listeners whose lists are missing. Throws an EarshotError. */
export async function findMissingGenerations(
  control: ControlTable,
  manifest: Manifest,
  nowMs: number,
): Promise<string[]> {
  const missing: string[] = [];
  for (const [surface, { variants }] of Object.entries(manifest.surfaces)) {
    for (const variant of variants) {
      const loads = await listReleases(control, { surface: toName(surface), variant: variant.name });
      const hasUsers = variant.weight > 0 || isNeeded(manifest, surface, variant);
      for (const generation of hasUsers ? servedGenerations(variant, nowMs) : []) {
        const state = loads.find((each) => each.generation === generation)?.state;
        const left = state === 'blocked' || state === 'rolled-back' ? `is ${state}` : undefined;
        const reason = whyMissing(generation, loads) ?? left;
        if (reason !== undefined) missing.push(`${surface}/${variant.name} ${formatGeneration(generation)} ${reason}`);
      }
    }
  }
  return missing;
}

/** Whether users have the variant who were not drawn by its weight. */
function isNeeded({ experiments = {}, holdouts, surfaces }: Manifest, surfaceName: string, variant: Variant): boolean {
  const surface = surfaces[surfaceName];
  const isArm = Object.values(experiments).some(
    (each) => isLive(each) && each.surface === surfaceName && each.arms.some((arm) => arm.variant === variant.name),
  );
  const held = [holdouts?.global, holdouts?.surfaces?.[surfaceName]].some((each) => (each?.share ?? 0) > 0);
  return isArm || surface?.outsideArms === true || (held && surface !== undefined && controlOf(surface) === variant);
}

/** The current one, and during a flip the previous one. */
function servedGenerations(variant: Variant, nowMs: number): number[] {
  const { current, previous } = variant;
  return previous !== undefined && isGenerationServed(variant, previous, nowMs) ? [current, previous] : [current];
}

/** Undefined if Bigtable keeps the lists. */
export function whyMissing(
  generation: number,
  loads: readonly RecordedRelease[],
  versions?: number,
): string | undefined {
  const load = loads.find((each) => each.generation === generation);
  if (load === undefined) return 'was never loaded';
  if (!isWhole(load)) return load.state === 'dropped' ? 'was dropped' : 'was loaded only in part';
  const kept = newestKept(
    loads.filter(hasLists).map((each) => each.generation),
    versions,
  );
  return kept.includes(generation) ? undefined : 'is no longer kept';
}
