// Slots of a layer and buckets of arms. A change takes free ones, and gives away none that an experiment or arm owns.
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
import type { Manifest } from '../../shared/domain/manifest.ts';

/** The share of each arm, in basis points. */
export const sharesOf = ({ arms }: Experiment): Map<string, number> =>
  new Map(arms.map(({ variant, buckets }) => [variant, sizeOf(buckets)]));

/** The ranges of `layer` that live experiments and drafts own, without those of `except`. */
export const takenIn = ({ experiments = {} }: Manifest, layer: string, except?: string): Range[] =>
  Object.entries(experiments)
    .filter(([name, each]) => name !== except && each.layer === layer && (isLive(each) || each.state === 'draft'))
    .flatMap(([, { slots }]) => slots);

/** The request of a caller: a size in basis points, or slots. */
interface Asked {
  readonly size?: number | undefined;
  readonly slots?: readonly Range[] | undefined;
}

export function slotsFor(
  live: Manifest,
  name: string,
  { layer, asked, owned }: { readonly layer: string; readonly asked: Asked; readonly owned: readonly Range[] },
): Range[] {
  const taken = takenIn(live, layer, name);
  if (asked.slots !== undefined) {
    const wanted = join(asked.slots);
    if (overlap([...taken, ...wanted]))
      throw new Error(
        `expected free slots of the layer ${layer}, got ${show(wanted)} (taken are ${show(join(taken))})`,
      );
    if (!owned.every((range) => isWithin(range, wanted))) throw shrinks(name, `slots ${show(owned)}`);
    return wanted;
  }
  const size = asked.size ?? (owned.length > 0 ? sizeOf(owned) : BUCKETS - sizeOf(join(taken)));
  if (size < sizeOf(owned)) throw shrinks(name, `${percent(sizeOf(owned))} of the layer`);
  const more = takeFree(join([...taken, ...owned]), size - sizeOf(owned));
  if (size === 0) throw new Error(`expected ${name} to have slots of the layer ${layer}, got a size of 0 %`);
  if (more === undefined)
    throw new Error(
      `expected the layer ${layer} to have ${percent(size)} free, got ${percent(BUCKETS - sizeOf(join(taken)))}`,
    );
  return join([...owned, ...more]);
}

/** `arms` with those shares. Each arm keeps its buckets and takes free ones. */
export function growArms(arms: Experiment['arms'], shares: ReadonlyMap<string, number>): Experiment['arms'] {
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

export const isFree = (live: Manifest, name: string, layer: string, slots: readonly Range[]): boolean =>
  !overlap([...takenIn(live, layer, name), ...slots]);

const isWithin = ([from, to]: Range, all: readonly Range[]): boolean =>
  Array.from({ length: to - from }, (_, i) => from + i).every((slot) => contains(all, slot));

/** `0-999, 2000-2999` */
export const show = (all: readonly Range[]): string =>
  all.map(([from, to]) => `${from}-${to - 1}`).join(', ') || 'none';

export const percent = (basisPoints: number): string => `${basisPoints / 100} %`;

/** `control=50 %, knn=50 %` */
export const describeArms = (experiment: Experiment): string =>
  [...sharesOf(experiment)].map(([variant, share]) => `${variant}=${percent(share)}`).join(', ');
