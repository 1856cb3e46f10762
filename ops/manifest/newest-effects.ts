// The parts of the latest manifest that an earlier one must not undo: erasures, documents, switches, marks of regions,
// and experiments. An experiment that was stopped would run again, and arms that have grown would lose users.
import { isLive } from '../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { MAX_IN_MANIFEST, newestErasures } from './known-erasures.ts';

/** `source` with those parts of the latest among itself and `others`. Its version stays. */
export function withNewestEffects(source: Manifest, others: readonly Manifest[], nowMs: number): Manifest {
  const newest = newestOf(source, others);
  return {
    ...source,
    experiments: newest.experiments,
    holdouts: newest.holdouts,
    retiredSalts: newest.retiredSalts,
    documents: newest.documents,
    switches: newest.switches,
    regions: newest.regions,
    erasures: joinErasures([source, ...others], newest, nowMs),
  };
}

export const newestOf = (source: Manifest, others: readonly Manifest[]): Manifest =>
  others.reduce((latest, each) => (each.version > latest.version ? each : latest), source);

/**
 * The latest moment of every erased user: a restore never brings an erased list back. Documents have every erasure, so
 * beside them the newest are enough.
 */
function joinErasures(manifests: readonly Manifest[], newest: Manifest, nowMs: number): Manifest['erasures'] {
  const all = manifests.flatMap(({ erasures }) => erasures);
  return newestErasures(all, nowMs, newest.documents?.erasures === undefined ? all.length : MAX_IN_MANIFEST);
}

/** A live experiment whose variant the manifest lacks; undefined if every arm is there. */
export function findMissingArm({ experiments = {}, surfaces }: Manifest) {
  for (const [name, experiment] of Object.entries(experiments)) {
    if (!isLive(experiment)) continue;
    const variants = surfaces[experiment.surface]?.variants ?? [];
    const missing = experiment.arms.find((arm) => !variants.some((variant) => variant.name === arm.variant));
    if (missing !== undefined) return { experiment: name, variant: `${experiment.surface}/${missing.variant}` };
  }
  return undefined;
}
