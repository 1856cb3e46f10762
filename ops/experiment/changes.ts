// The changes of the manifest by `earshot experiment`: pure functions, so a dry run can show them. Each throws an Error
// with the reason if the change would move a user who is in an arm, except for a restart.
import {
  BUCKETS,
  contains,
  type Experiment,
  isLive,
  join,
  overlap,
  type Range,
  sizeOf,
  takeFree,
} from '../../shared/domain/experiments/schema.ts';
import type { Manifest, Surface } from '../../shared/domain/manifest.ts';

/** The parts that a caller may name. Shares are basis points: of the layer for `size`, of the experiment for an arm. */
export interface ExperimentForm {
  readonly size?: number | undefined;
  /** Slots of the layer, instead of free ones. */
  readonly slots?: readonly Range[] | undefined;
  readonly arms?: ReadonlyMap<string, number> | undefined;
  readonly control?: string | undefined;
  readonly targeting?: Experiment['targeting'] | undefined;
  readonly allow?: Experiment['allow'] | undefined;
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
  const salt = form.salt ?? freshSalt(live, name);
  requireNewSalt(live, salt);
  const experiment: Experiment = {
    ...{ surface, layer, salt, state: 'draft', control },
    slots: slotsFor(live, name, { layer, form, owned: [] }),
    arms: growArms([], arms),
    ...(form.targeting === undefined ? {} : { targeting: form.targeting }),
    ...(form.allow === undefined ? {} : { allow: form.allow }),
  };
  return put(live, name, experiment);
}

export function startExperiment(live: Manifest, name: string): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['draft']);
  requireLiveArms(live, experiment);
  return put(live, name, { ...experiment, state: 'running' });
}

/** Grows arms and slots. A draft may also shrink. The allow list of a live experiment may change, its targeting not. */
export function setExperiment(live: Manifest, name: string, form: ExperimentForm): Manifest {
  const experiment = find(live, name);
  requireState(name, experiment, ['draft', 'running']);
  const { surface, layer } = experiment;
  if (experiment.state === 'draft') {
    const { [name]: draft = experiment, ...others } = live.experiments ?? {};
    const { salt, control, targeting, allow, slots } = draft;
    const kept = form.size === undefined ? { slots } : {};
    const arms = form.arms ?? sharesOf(draft);
    const whole = { surface, layer, salt, control, targeting, allow, ...kept, ...defined(form), arms };
    return createExperiment({ ...live, experiments: others }, name, whole);
  }
  if (form.targeting !== undefined || form.control !== undefined)
    throw new Error(`${name} is running: other targeting or another control moves users, so it needs a restart`);
  const next: Experiment = {
    ...experiment,
    arms: form.arms === undefined ? experiment.arms : growArms(experiment.arms, form.arms),
    slots: slotsFor(live, name, { layer, form, owned: experiment.slots }),
    ...(form.allow === undefined ? {} : { allow: form.allow }),
  };
  requireLiveArms(live, next);
  return put(live, name, next);
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
  const salt = form.salt ?? freshSalt(live, name);
  requireNewSalt(live, salt);
  const { layer } = experiment;
  const size = form.size ?? sizeOf(experiment.slots);
  const kept = form.slots === undefined && form.size === undefined && isFree(live, name, layer, experiment.slots);
  const next: Experiment = {
    ...experiment,
    salt,
    usedSalts: [...usedSaltsOf(experiment)],
    state: 'running',
    control: form.control ?? experiment.control,
    slots: kept ? experiment.slots : slotsFor(live, name, { layer, form: { ...form, size }, owned: [] }),
    arms: growArms([], form.arms ?? sharesOf(experiment)),
    ...(form.targeting === undefined ? {} : { targeting: form.targeting }),
    ...(form.allow === undefined ? {} : { allow: form.allow }),
  };
  requireLiveArms(live, next);
  return put(live, name, next);
}

/** The members that are not undefined. */
const defined = (form: ExperimentForm): ExperimentForm =>
  Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined));

/**
 * The holdout of a surface, or of all surfaces. A growing one takes more users, and none leaves it; 0 ends it. Throws
 * an Error for a surface that is not live.
 */
export function setHoldout(live: Manifest, surface: string | undefined, share: number): Manifest {
  const { global, surfaces = {} } = live.holdouts ?? {};
  if (surface === undefined) {
    const next = share === 0 ? undefined : { salt: 'holdout', ...global, share };
    return { ...live, holdouts: { ...live.holdouts, global: next } };
  }
  if (!Object.hasOwn(live.surfaces, surface))
    throw new Error(`expected a live surface, got ${surface} (live are ${namesOf(live.surfaces)})`);
  const { [surface]: known, ...others } = surfaces;
  const own = share === 0 ? {} : { [surface]: { salt: `holdout-${surface}`, ...known, share } };
  return { ...live, holdouts: { ...live.holdouts, surfaces: { ...others, ...own } } };
}

/** When a user of the surface counts. Throws an Error for a surface that is not live. */
export const setExposure = (live: Manifest, surface: string, exposure: 'shown' | 'served'): Manifest =>
  changeSurface(live, surface, { exposure });

/** Whether a signed claim may name the variant. Throws an Error for a surface that is not live. */
export const setOutsideArms = (live: Manifest, surface: string, outsideArms: boolean): Manifest =>
  changeSurface(live, surface, { outsideArms });

function changeSurface(live: Manifest, name: string, change: Partial<Surface>): Manifest {
  const surface = Object.hasOwn(live.surfaces, name) ? live.surfaces[name] : undefined;
  if (surface === undefined)
    throw new Error(`expected a live surface, got ${name} (live are ${namesOf(live.surfaces)})`);
  return { ...live, surfaces: { ...live.surfaces, [name]: { ...surface, ...change } } };
}

/** The share of each arm, in basis points. */
export const sharesOf = ({ arms }: Experiment): Map<string, number> =>
  new Map(arms.map(({ variant, buckets }) => [variant, sizeOf(buckets)]));

/** The ranges of `layer` that live experiments and drafts own, without those of `except`. */
export const takenIn = ({ experiments = {} }: Manifest, layer: string, except?: string): Range[] =>
  Object.entries(experiments)
    .filter(([name, each]) => name !== except && each.layer === layer && (isLive(each) || each.state === 'draft'))
    .flatMap(([, { slots }]) => slots);

function slotsFor(
  live: Manifest,
  name: string,
  { layer, form, owned }: { readonly layer: string; readonly form: ExperimentForm; readonly owned: readonly Range[] },
): Range[] {
  const taken = takenIn(live, layer, name);
  if (form.slots !== undefined) {
    const asked = join(form.slots);
    if (overlap([...taken, ...asked]))
      throw new Error(`expected free slots of the layer ${layer}, got ${show(asked)} (taken are ${show(join(taken))})`);
    if (!owned.every((range) => isWithin(range, asked))) throw shrinks(name, `slots ${show(owned)}`);
    return asked;
  }
  const size = form.size ?? (owned.length > 0 ? sizeOf(owned) : BUCKETS - sizeOf(join(taken)));
  if (size < sizeOf(owned)) throw shrinks(name, `${percent(sizeOf(owned))} of the layer`);
  const more = takeFree(join([...taken, ...owned]), size - sizeOf(owned));
  if (size === 0 || more === undefined)
    throw new Error(
      `expected the layer ${layer} to have ${percent(size)} free, got ${percent(BUCKETS - sizeOf(join(taken)))}`,
    );
  return join([...owned, ...more]);
}

/** `arms` with those shares. Each arm keeps its buckets and takes free ones. */
function growArms(arms: Experiment['arms'], shares: ReadonlyMap<string, number>): Experiment['arms'] {
  const grown = arms.map((each) => ({ ...each }));
  for (const [variant, share] of shares) {
    let arm = grown.find((each) => each.variant === variant);
    if (arm === undefined) {
      arm = { variant, buckets: [] };
      grown.push(arm);
    }
    const more = share - sizeOf(arm.buckets);
    if (more < 0) throw shrinks(variant, `${percent(sizeOf(arm.buckets))} of the experiment`);
    const taken = join(grown.flatMap(({ buckets }) => buckets));
    const found = takeFree(taken, more);
    if (found === undefined)
      throw new Error(
        `expected the arms to have at most 100 % together; ${variant}=${percent(share)} is too much (free are ${percent(BUCKETS - sizeOf(taken))})`,
      );
    arm.buckets = join([...arm.buckets, ...found]);
  }
  return grown;
}

const shrinks = (what: string, before: string): Error =>
  new Error(`${what} has ${before}: less would move users who are in an arm, so it needs \`experiment restart\``);

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

const usedSaltsOf = ({ salt, usedSalts }: Experiment): readonly string[] => [
  salt,
  ...(Array.isArray(usedSalts) ? (usedSalts as string[]) : []),
];

/** A salt that was used draws the arms of before. */
function requireNewSalt({ experiments = {} }: Manifest, salt: string): void {
  const user = Object.entries(experiments).find(([, each]) => usedSaltsOf(each).includes(salt));
  if (user !== undefined) throw new Error(`expected a salt that no experiment has used, got ${salt} of ${user[0]}`);
}

/** `NAME-1`, `NAME-2`, ... */
function freshSalt({ experiments = {} }: Manifest, name: string): string {
  const used = new Set(Object.values(experiments).flatMap(usedSaltsOf));
  for (let i = 1; ; i++) if (!used.has(`${name}-${i}`)) return `${name}-${i}`;
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

const isFree = (live: Manifest, name: string, layer: string, slots: readonly Range[]): boolean =>
  !overlap([...takenIn(live, layer, name), ...slots]);

const isWithin = ([from, to]: Range, all: readonly Range[]): boolean =>
  Array.from({ length: to - from }, (_, i) => from + i).every((slot) => contains(all, slot));

const defaultControl = (arms: ReadonlyMap<string, number>): string =>
  arms.has('control') ? 'control' : ([...arms.keys()][0] ?? '');

const namesOf = (all: object): string => Object.keys(all).join(', ') || 'none';

/** `0-999, 2000-2999` */
export const show = (all: readonly Range[]): string =>
  all.map(([from, to]) => `${from}-${to - 1}`).join(', ') || 'none';

export const percent = (basisPoints: number): string => `${basisPoints / 100} %`;
