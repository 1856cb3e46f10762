// The variant of a user on a surface: a pure function of manifest, user, country and claims, so that the worker, the
// commands and a warehouse decide alike. docs/experiments.md describes it, and
// test/unit/shared/domain/experiments/vectors.json has the results for 1 000 users.
import { unitHash } from '../../runtime/hash.ts';
import { POPULAR_USER } from '../ids.ts';
import { makeUserHash } from '../keys.ts';
import type { Manifest, Surface, Variant } from '../manifest.ts';
import { chooseVariant } from '../rollout.ts';
import { BUCKETS, contains, type Experiment, isLive, type Targeting } from './schema.ts';

export interface Attributes {
  /** ISO 3166-1 alpha-2; undefined if it is not known. */
  readonly country?: string | undefined;
  /** Signed claims of the caller's token, of type text. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
  /** Variants by surface, from the signed claim `earshot_arms`: another system has assigned them. */
  readonly arms?: Readonly<Record<string, string>> | undefined;
}

/** Why the user has the variant. */
export type Reason = 'outside' | 'holdout' | 'allowed' | 'bucket' | 'weight' | 'preview';

export interface Assignment {
  readonly variant: Variant;
  /** The experiment, or the name of the surface for a choice by weights, or `holdout`. */
  readonly experiment: string;
  /** Salt of the experiment, of the holdout or of the surface. */
  readonly salt: string;
  readonly reason: Reason;
}

/** Called only for an experiment with targeting. */
export type AttributesOf = () => Attributes;

const noAttributes: AttributesOf = () => ({});

export function assign(
  manifest: Pick<Manifest, 'experiments' | 'holdouts'>,
  name: string,
  surface: Surface,
  user: string,
  attributes: AttributesOf = noAttributes,
): Assignment {
  // The popular list belongs to every user: no experiment decides it.
  if (user !== POPULAR_USER) {
    const found =
      assignOutside(name, surface, attributes) ??
      assignHeldOut(manifest, name, surface, user) ??
      assignArm(manifest, name, surface, user, attributes);
    if (found !== undefined) return found;
  }
  return { variant: chooseVariant(surface, user), experiment: name, salt: surface.salt, reason: 'weight' };
}

/** The variant that a previewer names. Undefined if the surface has none of the name. No experiment counts it. */
export function assignPreview(name: string, surface: Surface, variant: string): Assignment | undefined {
  const found = surface.variants.find((each) => each.name === variant);
  return found && { variant: found, experiment: name, salt: surface.salt, reason: 'preview' };
}

/** The bucket of a text in a space of BUCKETS. */
export const bucketOf = (salt: string, user: string): number => Math.floor(unitHash(`${salt}/${user}`) * BUCKETS);

/** A holdout's users get this: the variant `control`, or else the one with the largest weight, the first of equals. */
export const controlOf = ({ variants }: Surface): Variant =>
  variants.find(({ name }) => name === 'control') ??
  variants.reduce((heaviest, each) => (each.weight > heaviest.weight ? each : heaviest));

/** A variant that the surface does not have is no assignment. */
function assignOutside(name: string, surface: Surface, attributes: AttributesOf): Assignment | undefined {
  if (surface.outsideArms !== true) return undefined;
  const { arms } = attributes();
  const arm = arms !== undefined && Object.hasOwn(arms, name) ? arms[name] : undefined;
  const variant = arm === undefined ? undefined : surface.variants.find((each) => each.name === arm);
  return variant && { variant, experiment: 'outside', salt: 'outside', reason: 'outside' };
}

function assignHeldOut(
  { holdouts }: Pick<Manifest, 'holdouts'>,
  name: string,
  surface: Surface,
  user: string,
): Assignment | undefined {
  for (const holdout of [holdouts?.global, holdouts?.surfaces?.[name]]) {
    if (holdout === undefined || bucketOf(holdout.salt, user) >= holdout.share) continue;
    return { variant: controlOf(surface), experiment: 'holdout', salt: holdout.salt, reason: 'holdout' };
  }
  return undefined;
}

interface LiveExperiment {
  readonly name: string;
  readonly experiment: Experiment;
}

const bySurface = new WeakMap<object, ReadonlyMap<string, readonly LiveExperiment[]>>();

/** The live experiments of each surface, found once for each manifest. */
function experimentsOf({ experiments }: Pick<Manifest, 'experiments'>, surface: string): readonly LiveExperiment[] {
  if (experiments === undefined) return NONE;
  let found = bySurface.get(experiments);
  if (found === undefined) {
    const live = Object.entries(experiments).flatMap(([name, experiment]) =>
      isLive(experiment) ? [{ name, experiment }] : [],
    );
    found = Map.groupBy(live, ({ experiment }) => experiment.surface);
    bySurface.set(experiments, found);
  }
  return found.get(surface) ?? NONE;
}

const NONE: readonly LiveExperiment[] = [];

function assignArm(
  manifest: Pick<Manifest, 'experiments'>,
  surfaceName: string,
  surface: Surface,
  user: string,
  attributes: AttributesOf,
): Assignment | undefined {
  const live = experimentsOf(manifest, surfaceName);
  if (live.length === 0) return undefined;
  const toAssignment = ({ name, experiment }: LiveExperiment, arm: string, reason: Reason): Assignment | undefined => {
    // An arm whose variant is gone has no users.
    const variant = surface.variants.find((each) => each.name === arm);
    return variant && { variant, experiment: name, salt: experiment.salt, reason };
  };
  for (const each of live) {
    const arm = each.experiment.allow && allowedArm(each.experiment.allow, user);
    const allowed = arm === undefined ? undefined : toAssignment(each, arm, 'allowed');
    if (allowed !== undefined) return allowed;
  }
  // All experiments of a surface are in one layer.
  const slot = bucketOf(live[0]?.experiment.layer ?? '', user);
  const own = live.find(({ experiment }) => contains(experiment.slots, slot));
  if (own === undefined) return undefined;
  const { salt, arms, targeting } = own.experiment;
  if (targeting !== undefined && !isTargeted(targeting, attributes())) return undefined;
  const bucket = bucketOf(salt, user);
  const arm = arms.find(({ buckets }) => contains(buckets, bucket));
  return arm && toAssignment(own, arm.variant, 'bucket');
}

function allowedArm(allow: NonNullable<Experiment['allow']>, user: string): string | undefined {
  const hash = makeUserHash(user);
  return Object.entries(allow).find(([, hashes]) => hashes.includes(hash))?.[0];
}

function isTargeted({ countries, claims }: Targeting, attributes: Attributes): boolean {
  if (countries !== undefined && !countries.includes(attributes.country ?? '')) return false;
  return Object.entries(claims ?? {}).every(([name, values]) => {
    const own = attributes.claims;
    return own !== undefined && Object.hasOwn(own, name) && values.includes(own[name] ?? '');
  });
}
