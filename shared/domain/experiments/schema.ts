// Experiments and holdouts in the manifest. A layer is a space of 10 000 slots, which its experiments do not share: a
// user is in at most one of them. Arms own buckets of the experiment's own space of 10 000, which its salt draws. All
// experiments of a surface are in one layer, because an answer has one variant.
import { z } from 'zod';
import { NAME_GRAMMAR, NAME_PATTERN } from '../ids.ts';

/** Slots of a layer, and buckets of an experiment. */
export const BUCKETS = 10_000;
/** Maximum number of arms of an experiment. */
export const MAX_ARMS = 16;
/** Maximum number of users that an experiment allows into its arms by hash. */
export const MAX_ALLOWED = 1_000;
/** Maximum number of experiments of a manifest that are not stopped, and of stopped ones. */
export const MAX_EXPERIMENTS = 200;
/** The first holdout's salt begins so. No experiment and no layer has such a salt. */
export const HOLDOUT_SALT = 'holdout';

export const EXPERIMENT_STATES = ['draft', 'running', 'closed', 'stopped'] as const;
export type ExperimentState = (typeof EXPERIMENT_STATES)[number];

const name = z.string().regex(NAME_PATTERN, `expected ${NAME_GRAMMAR}`);
const salt = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 . _ -');

/** `[from, to)` */
const range = z
  .tuple([z.int().min(0), z.int().max(BUCKETS)])
  .refine(([from, to]) => from < to, 'expected a range [from, to) that is not empty')
  .readonly();

/** In ascending order, without overlap. */
const ranges = z
  .array(range)
  .max(BUCKETS)
  .refine((all) => all.every(([from], i) => i === 0 || from >= (all[i - 1] as Range)[1]), 'expected ranges in order')
  .readonly();

export type Range = readonly [from: number, to: number];

const arm = z.looseObject({ variant: name, buckets: ranges });

const experiment = z
  .looseObject({
    surface: name,
    layer: name,
    salt,
    /** Salts of its runs before. */
    usedSalts: z.array(salt).optional(),
    /** When shares of arms changed under the salt; ms since the epoch. Users of before came under other shares. */
    sharesSinceMs: z.int().optional(),
    state: z.enum(EXPERIMENT_STATES).or(z.string()),
    slots: ranges,
    /** The arm that the others are compared with. */
    control: name,
    arms: z.array(arm).min(1).max(MAX_ARMS),
    targeting: z
      .looseObject({
        /** ISO 3166-1 alpha-2. */
        countries: z.array(z.string().regex(/^[A-Z]{2}$/)).optional(),
        /** A signed claim must have one of the values. */
        claims: z.record(z.string(), z.array(z.string())).optional(),
      })
      .optional(),
    /** Hashes of users that an arm gets whatever their slot, by variant. */
    allow: z.record(name, z.array(z.string().regex(/^[0-9a-f]{16}$/)).max(MAX_ALLOWED)).optional(),
  })
  .refine(
    ({ arms }) => new Set(arms.map(({ variant }) => variant)).size === arms.length,
    'expected arms of different variants',
  )
  .refine(({ arms, control }) => arms.some(({ variant }) => variant === control), 'expected `control` to be an arm')
  .refine(
    ({ arms, allow = {} }) => Object.keys(allow).every((name) => arms.some(({ variant }) => variant === name)),
    'expected `allow` to name arms',
  )
  .refine(({ arms }) => !overlap(arms.flatMap(({ buckets }) => buckets)), 'expected arms that share no bucket');

export const experimentsSchema = z
  .record(name, experiment)
  .refine((all) => {
    const stopped = Object.values(all).filter(({ state }) => state === 'stopped').length;
    return stopped <= MAX_EXPERIMENTS && Object.keys(all).length - stopped <= MAX_EXPERIMENTS;
  }, `expected at most ${MAX_EXPERIMENTS} experiments, and as many stopped ones: remove some`)
  .superRefine((all, context) => {
    for (const problem of problemsOf(Object.entries(all))) context.addIssue({ code: 'custom', message: problem });
  });

/** Users of a holdout get the control variant of every surface, or of one. */
const holdout = z.looseObject({ salt, share: z.int().min(0).max(BUCKETS) });

/** Salts of removed experiments: they would draw the same users again. */
export const retiredSaltsSchema = z.array(salt);

export const holdoutsSchema = z.looseObject({
  global: holdout.optional(),
  surfaces: z.record(name, holdout).optional(),
});

export type Experiment = z.infer<typeof experiment>;
export type Experiments = Readonly<Record<string, Experiment>>;
export type Holdouts = z.infer<typeof holdoutsSchema>;
export type Targeting = NonNullable<Experiment['targeting']>;

/** Whether users are in it: its intake may be closed. */
export const isLive = ({ state }: Experiment): boolean => state === 'running' || state === 'closed';

/** Experiments that overlap in a layer, and surfaces with experiments in two layers. */
function problemsOf(all: readonly [string, Experiment][]): string[] {
  const live = all.filter(([, each]) => isLive(each));
  return live.flatMap(([first, a], i) =>
    live.slice(i + 1).flatMap(([second, b]) => {
      if (a.layer === b.layer && overlap([...a.slots, ...b.slots]))
        return [`expected experiments of layer ${a.layer} to share no slot, got ${first} and ${second}`];
      if (a.surface === b.surface && a.layer !== b.layer)
        return [
          `expected the experiments of ${a.surface} in one layer, got ${first} in ${a.layer} and ${second} in ${b.layer}`,
        ];
      return [];
    }),
  );
}

export function overlap(all: readonly Range[]): boolean {
  const sorted = [...all].sort(([a], [b]) => a - b);
  return sorted.some(([from], i) => i > 0 && from < (sorted[i - 1] as Range)[1]);
}

/** Number of buckets of the ranges. */
export const sizeOf = (all: readonly Range[]): number => all.reduce((sum, [from, to]) => sum + to - from, 0);

export const contains = (all: readonly Range[], bucket: number): boolean =>
  all.some(([from, to]) => from <= bucket && bucket < to);

/** The first `count` buckets that `taken` leaves free. Undefined if there are fewer. */
export function takeFree(taken: readonly Range[], count: number): Range[] | undefined {
  const found: Range[] = [];
  let [next, left] = [0, count];
  for (const [from, to] of [...[...taken].sort(([a], [b]) => a - b), [BUCKETS, BUCKETS] as const]) {
    const free = Math.min(left, from - next);
    if (free > 0) found.push([next, next + free]);
    left -= Math.max(0, free);
    if (left === 0) return found;
    next = Math.max(next, to);
  }
  return undefined;
}

/** The union, with neighbours joined. */
export function join(all: readonly Range[]): Range[] {
  const joined: [number, number][] = [];
  for (const [from, to] of [...all].sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}
