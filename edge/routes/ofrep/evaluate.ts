// An experiment as a flag of the OpenFeature Remote Evaluation Protocol (OFREP 0.2): its value is the variant that the
// user gets. Pure.
import { type AttributesOf, assign, type Reason } from '../../../shared/domain/experiments/assign.ts';
import { isLive } from '../../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';

export interface Evaluation {
  readonly key: string;
  readonly value: string;
  readonly variant: string;
  readonly reason: 'SPLIT' | 'TARGETING_MATCH' | 'DEFAULT' | 'DISABLED';
  readonly metadata: { readonly surface: string; readonly experiment: string; readonly by: Reason };
}

/** Undefined for an unknown experiment, or one of a surface that is not live. */
export function evaluateFlag(
  manifest: Manifest,
  key: string,
  user: string,
  attributes: AttributesOf,
): Evaluation | undefined {
  const experiments = manifest.experiments ?? {};
  const experiment = Object.hasOwn(experiments, key) ? experiments[key] : undefined;
  if (experiment === undefined) return undefined;
  const { surface } = experiment;
  const live = Object.hasOwn(manifest.surfaces, surface) ? manifest.surfaces[surface] : undefined;
  if (live === undefined) return undefined;
  const { variant, experiment: decided, reason } = assign(manifest, surface, live, user, attributes);
  return {
    ...{ key, value: variant.name, variant: variant.name, metadata: { surface, experiment: decided, by: reason } },
    reason: !isLive(experiment) ? 'DISABLED' : decided === key ? REASONS[reason] : 'DEFAULT',
  };
}

/** For a user who is in the experiment. */
const REASONS: Readonly<Record<Reason, Evaluation['reason']>> = {
  bucket: 'SPLIT',
  allowed: 'TARGETING_MATCH',
  holdout: 'DEFAULT',
  outside: 'DEFAULT',
  weight: 'DEFAULT',
  preview: 'DEFAULT',
};

/** In the order of their names. */
export const evaluateAll = (manifest: Manifest, user: string, attributes: AttributesOf): Evaluation[] =>
  Object.keys(manifest.experiments ?? {})
    .sort()
    .flatMap((key) => evaluateFlag(manifest, key, user, attributes) ?? []);
