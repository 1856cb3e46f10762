// The changes of the manifest by `earshot experiment`: pure functions, so a dry run can show them. Each throws an Error
// with the reason if the change would move a user who is in an arm, except for a restart.
import { isDeepStrictEqual } from 'node:util';
import { type Experiment, type Range, sizeOf } from '../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { freshSalt, requireNewSalt, requireOwnLayer, retire } from './salts.ts';
import { growArms, isFree, sharesOf, slotsFor } from './slots.ts';

/** The parts that a caller may name. Shares are basis points: of the layer for `size`, of the experiment for an arm. */
export interface ExperimentForm {
  readonly size?: number | undefined;
  /** Slots of the layer, instead of free ones. */
  readonly slots?: readonly Range[] | undefined;
  readonly arms?: ReadonlyMap<string, number> | undefined;
  readonly control?: string | undefined;
  readonly targeting?: Experiment['targeting'] | undefined;
  /** Hashes of users who get an arm from now on, by variant. */
  readonly allow?: Experiment['allow'] | undefined;
  /** Hashes of users who are drawn like all others again. */
  readonly disallow?: readonly string[] | undefined;
  readonly salt?: string | undefined;
}

export interface NewExperiment extends ExperimentForm {
  readonly surface: string;
  /** Default: a layer with the name of the surface. */
  readonly layer?: string | undefined;
  readonly arms: ReadonlyMap<string, number>;
}

/** A draft has slots and no users. */
export function createExperiment(live: Manifest, name: string, form: NewExperiment): Manifest {
  const known = live.experiments?.[name];
  if (known !== undefined) throw new Error(`expected a new name, got ${name}, which is ${known.state}`);
  const { surface, arms } = form;
  if (!Object.hasOwn(live.surfaces, surface))
    throw new Error(`expected a live surface, got ${surface} (live are ${namesOf(live.surfaces)})`);
  if (surface === name)
    throw new Error(`expected another name than the surface's: users of no experiment have that one`);
  const { layer = surface, control = defaultControl(arms) } = form;
  requireOwnLayer(live, layer);
  const salt = form.salt ?? freshSalt(live, name, layer);
  requireNewSalt(live, salt, layer);
  const experiment: Experiment = {
    ...{ surface, layer, salt, state: 'draft', control },
    slots: slotsFor(live, name, { layer, asked: form, owned: [] }),
    arms: growArms([], arms),
    ...(form.targeting === undefined ? {} : { targeting: form.targeting }),
  };
  return put(live, name, withAllowed(experiment, form));
}

export function startExperiment(live: Manifest, name: string): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['draft']);
  requireLiveArms(live, experiment);
  return put(live, name, { ...experiment, state: 'running' });
}

/**
 * Grows arms and slots. A draft may also shrink. The allow list of a live experiment may change, its targeting not. The
 * same manifest if nothing changes.
 */
export function setExperiment(live: Manifest, name: string, form: ExperimentForm, nowMs: number): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['draft', 'running']);
  if (experiment.state === 'draft') return setDraft(live, name, experiment, form);
  if (form.targeting !== undefined || form.control !== undefined || form.salt !== undefined)
    throw new Error(`${name} is running: other targeting, control or salt moves users, so it needs a restart`);
  const { layer } = experiment;
  const arms = form.arms === undefined ? experiment.arms : growArms(experiment.arms, form.arms);
  const next = withAllowed(
    {
      ...experiment,
      arms,
      slots: slotsFor(live, name, { layer, asked: form, owned: experiment.slots }),
      ...(isSame(arms, experiment.arms) ? {} : { sharesSinceMs: nowMs }),
    },
    form,
  );
  requireLiveArms(live, next);
  return isSame(next, experiment) ? live : put(live, name, next);
}

function setDraft(live: Manifest, name: string, draft: Experiment, form: ExperimentForm): Manifest {
  const { [name]: _draft, ...others } = live.experiments ?? {};
  const { surface, layer, salt, control, targeting, slots } = draft;
  const kept = form.size === undefined ? { slots } : {};
  const arms = form.arms ?? sharesOf(draft);
  const { allow } = withAllowed({ ...draft, arms: growArms([], arms) }, form);
  const whole = { surface, layer, salt, control, targeting, ...kept, ...defined(form), arms, allow };
  const next = createExperiment({ ...live, experiments: others }, name, whole);
  return isSame(next.experiments?.[name], draft) ? live : next;
}

/** From then on no arm grows. */
export function closeExperiment(live: Manifest, name: string): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['running']);
  return put(live, name, { ...experiment, state: 'closed' });
}

/** Its users are chosen by the weights again, and its slots are free. */
export function stopExperiment(live: Manifest, name: string): Manifest {
  const experiment = find(live, name);
  if (experiment.state === 'stopped') throw new Error(`${name} is stopped already`);
  return put(live, name, { ...experiment, state: 'stopped' });
}

/** Draws every user's arm again, with a new salt. Arms and slots may be smaller than before. */
export function restartExperiment(live: Manifest, name: string, form: ExperimentForm): Manifest {
  const experiment = find(live, name);
  if (experiment.state === 'draft')
    throw new Error(`${name} is a draft: start it, or change it with \`experiment set\``);
  const { layer } = experiment;
  const salt = form.salt ?? freshSalt(live, name, layer);
  requireNewSalt(live, salt, layer);
  const size = form.size ?? sizeOf(experiment.slots);
  const kept = form.slots === undefined && form.size === undefined && isFree(live, name, layer, experiment.slots);
  const { sharesSinceMs: _before, ...lasting } = experiment;
  const next = withAllowed(
    {
      ...lasting,
      salt,
      usedSalts: retire(experiment),
      state: 'running',
      control: form.control ?? experiment.control,
      slots: kept ? experiment.slots : slotsFor(live, name, { layer, asked: { ...form, size }, owned: [] }),
      arms: growArms([], form.arms ?? sharesOf(experiment)),
      ...(form.targeting === undefined ? {} : { targeting: form.targeting }),
    },
    form,
  );
  requireLiveArms(live, next);
  return put(live, name, next);
}

/** Takes a draft or a stopped experiment out of the manifest. Its salts stay used. */
export function removeExperiment(live: Manifest, name: string): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['draft', 'stopped']);
  const { [name]: _removed, ...experiments } = live.experiments ?? {};
  const hadUsers = experiment.state === 'stopped';
  const retiredSalts = [...new Set([...(live.retiredSalts ?? []), ...(hadUsers ? retire(experiment) : [])])];
  return { ...live, experiments, ...(retiredSalts.length === 0 ? {} : { retiredSalts }) };
}

/** `experiment` with the users of `form` on its allow list. An arm that is gone has none. */
function withAllowed(experiment: Experiment, { allow = {}, disallow = [] }: ExperimentForm): Experiment {
  const { allow: known = {}, ...others } = experiment;
  const named = new Set([...Object.values(allow).flat(), ...disallow]);
  for (const variant of Object.keys(allow)) {
    if (!experiment.arms.some((arm) => arm.variant === variant))
      throw new Error(
        `expected --allow to name an arm, got ${variant} (arms are ${[...sharesOf(experiment).keys()].join(', ')})`,
      );
  }
  const lists = experiment.arms.flatMap(({ variant }) => {
    const hashes = [...(known[variant] ?? []).filter((hash) => !named.has(hash)), ...(allow[variant] ?? [])];
    return hashes.length === 0 ? [] : [[variant, hashes] as const];
  });
  return lists.length === 0 ? others : { ...others, allow: Object.fromEntries(lists) };
}

const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other);

/** The members that are not undefined. */
const defined = (form: ExperimentForm): ExperimentForm =>
  Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined));

function requireLiveArms({ surfaces }: Manifest, { surface, arms }: Experiment): void {
  const live = surfaces[surface]?.variants ?? [];
  const missing = arms.filter(({ variant }) => !live.some(({ name }) => name === variant));
  if (missing.length > 0)
    throw new Error(
      `expected each arm to have a live release, got none of ${missing.map(({ variant }) => `${surface}/${variant}`).join(', ')}`,
    );
}

function requireState(name: string, { state }: Experiment, allowed: readonly string[]): void {
  if (!allowed.includes(state)) throw new Error(`expected ${name} to be ${allowed.join(' or ')}, got ${state}`);
}

function find({ experiments = {} }: Manifest, name: string): Experiment {
  const found = Object.hasOwn(experiments, name) ? experiments[name] : undefined;
  if (found === undefined) throw new Error(`expected an experiment, got ${name} (there are ${namesOf(experiments)})`);
  return found;
}

const put = (live: Manifest, name: string, experiment: Experiment): Manifest => ({
  ...live,
  experiments: { ...live.experiments, [name]: experiment },
});

const defaultControl = (arms: ReadonlyMap<string, number>): string =>
  arms.has('control') ? 'control' : ([...arms.keys()][0] ?? '');

const namesOf = (all: object): string => Object.keys(all).join(', ') || 'none';
