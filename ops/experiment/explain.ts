// Why a user has a variant: the trail of the decision, rule by rule.
import { type Attributes, assign, bucketOf } from '../../shared/domain/experiments/assign.ts';
import { contains, isLive } from '../../shared/domain/experiments/schema.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { makeUserHash } from '../../shared/domain/keys.ts';
import type { Manifest, Surface } from '../../shared/domain/manifest.ts';
import { chooseGeneration } from '../../shared/domain/rollout.ts';

export interface Explanation {
  readonly surface: string;
  readonly experiment: string;
  readonly variant: string;
  readonly reason: string;
  /** ISO 8601; for a caller without a known place. */
  readonly generation: string;
  /** One line for each rule that was looked at, in their order. */
  readonly trail: readonly string[];
}

export function explain(manifest: Manifest, user: string, attributes: Attributes, nowMs: number): Explanation[] {
  return Object.entries(manifest.surfaces).map(([name, surface]) => {
    const { experiment, variant, reason } = assign(manifest, name, surface, user, () => attributes);
    const generation = formatGeneration(chooseGeneration(variant, user, nowMs));
    const trail = trailOf(manifest, name, user, attributes, surface);
    return { surface: name, experiment, variant: variant.name, reason, generation, trail };
  });
}

function trailOf(
  manifest: Manifest,
  name: string,
  user: string,
  { country, claims, arms: named }: Attributes,
  { salt, outsideArms }: Surface,
): string[] {
  const { global, surfaces } = manifest.holdouts ?? {};
  const holdouts = Object.entries({ 'the global holdout': global, [`the holdout of ${name}`]: surfaces?.[name] });
  const held = holdouts.flatMap(([what, holdout]) => {
    if (holdout === undefined || holdout.share === 0) return [];
    const bucket = bucketOf(holdout.salt, user);
    return [
      `${what}: bucket ${bucket} of ${holdout.salt}, ${bucket < holdout.share ? 'in' : 'not in'} 0-${holdout.share - 1}`,
    ];
  });
  const live = Object.entries(manifest.experiments ?? {}).filter(([, each]) => each.surface === name && isLive(each));
  const layer = live[0]?.[1].layer;
  const slot = layer === undefined ? undefined : bucketOf(layer, user);
  const considered = live.flatMap(([experiment, { allow, slots, targeting, arms, salt: own, state }]) => {
    const allowed = Object.entries(allow ?? {}).find(([, hashes]) => hashes.includes(makeUserHash(user)));
    if (allowed !== undefined) return [`${experiment}: on the allow list of ${allowed[0]}`];
    if (slot === undefined || !contains(slots, slot)) return [`${experiment}: slot ${slot} of ${layer} is not its own`];
    const target =
      targeting === undefined
        ? ''
        : `, targets ${JSON.stringify(targeting)}, the user has ${JSON.stringify({ country, claims })}`;
    const bucket = bucketOf(own, user);
    const arm = arms.find(({ buckets }) => contains(buckets, bucket));
    const owner = arm === undefined ? 'no arm' : `the arm ${arm.variant}`;
    return [
      `${experiment} (${state}): slot ${slot} of ${layer} is its own${target}, bucket ${bucket} of ${own} is of ${owner}`,
    ];
  });
  const outside =
    outsideArms === true
      ? [`another system may assign the variant: it ${named?.[name] === undefined ? 'has not' : `says ${named[name]}`}`]
      : [];
  return [...outside, ...held, ...considered, `weights of ${name}, salt ${salt}, for users whom no rule before has`];
}
