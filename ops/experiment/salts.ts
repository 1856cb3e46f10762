// The salts of experiments, layers and holdouts. Each draws users by itself: two equal ones would draw the same users,
// and a salt that was used draws the arms of before.
import type { Experiment } from '../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

const usedSaltsOf = ({ salt, usedSalts = [] }: Experiment): readonly string[] => [salt, ...usedSalts];

/** The salts of `experiment` and of its runs before. */
export const retire = (experiment: Experiment): string[] => [...usedSaltsOf(experiment)];

/** The owner of each salt in use. Layers draw by their names. */
function ownersOf({ experiments = {}, holdouts, retiredSalts = [] }: Manifest): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const salt of retiredSalts) owners.set(salt, 'an experiment that was removed');
  for (const [name, each] of Object.entries(experiments)) {
    owners.set(each.layer, `the layer ${each.layer}`);
    for (const salt of usedSaltsOf(each)) owners.set(salt, `the experiment ${name}`);
  }
  for (const each of [holdouts?.global, ...Object.values(holdouts?.surfaces ?? {})])
    if (each !== undefined) owners.set(each.salt, 'a holdout');
  return owners;
}

const isOfHoldout = (salt: string): boolean => /^holdout(-|$)/.test(salt);

/** Throws an Error if `salt` is in use, or was. */
export function requireNewSalt(live: Manifest, salt: string, layer: string): void {
  const owner = isOfHoldout(salt) ? 'a holdout' : salt === layer ? `the layer ${layer}` : ownersOf(live).get(salt);
  if (owner !== undefined) throw new Error(`expected a salt that nothing has used, got ${salt} of ${owner}`);
}

/** Throws an Error if the name of the layer is the salt of anything else. */
export function requireOwnLayer(live: Manifest, layer: string): void {
  const owner = isOfHoldout(layer) ? 'a holdout' : ownersOf(live).get(layer);
  if (owner !== undefined && owner !== `the layer ${layer}`)
    throw new Error(`expected a layer that draws its users by itself, got ${layer}, which is the salt of ${owner}`);
}

/** `NAME-1`, `NAME-2`, ... */
export function freshSalt(live: Manifest, name: string, layer: string): string {
  const owners = ownersOf(live);
  for (let i = 1; ; i++) {
    const salt = `${name}-${i}`;
    if (!owners.has(salt) && !isOfHoldout(salt) && salt !== layer) return salt;
  }
}
