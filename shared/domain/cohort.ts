// Sums over the users of a canary's cohorts. Each origin process has its own; the guard of a canary adds them up.
// Parsing keeps unknown fields: an origin of the next build may send them.
import { z } from 'zod';

/** Enough for the mean and the variance of a measure. */
const sums = z.looseObject({ count: z.number(), sum: z.number(), squares: z.number() });

const count = z.int().nonnegative();

export const cohortSchema = z.looseObject({
  /** Users whose list was read, or found absent: each once. */
  users: count,
  /** Users without a list. */
  absent: count,
  /** Users with the list of an older generation than the asked one. */
  older: count,
  /** Failed reads. A user can have several, and still be counted later. */
  errors: count,
  /** Items of a list. */
  items: sums,
  /** Bytes of a list. */
  bytes: sums,
  /** Milliseconds of a read that memory could not answer. */
  latencyMs: sums,
});

export const cohortsSchema = z.looseObject({ canary: cohortSchema, control: cohortSchema });

export type CohortSums = z.infer<typeof cohortSchema>;
export type Cohorts = z.infer<typeof cohortsSchema>;
export type Sums = z.infer<typeof sums>;

export const emptyCohort = (): CohortSums => ({
  users: 0,
  absent: 0,
  older: 0,
  errors: 0,
  items: emptySums(),
  bytes: emptySums(),
  latencyMs: emptySums(),
});

export const addCohorts = (a: CohortSums, b: CohortSums): CohortSums => ({
  users: a.users + b.users,
  absent: a.absent + b.absent,
  older: a.older + b.older,
  errors: a.errors + b.errors,
  items: addSums(a.items, b.items),
  bytes: addSums(a.bytes, b.bytes),
  latencyMs: addSums(a.latencyMs, b.latencyMs),
});

/** Adds one value to `into`. */
export function addValue(into: Sums, value: number): void {
  into.count++;
  into.sum += value;
  into.squares += value * value;
}

const emptySums = (): Sums => ({ count: 0, sum: 0, squares: 0 });

const addSums = (a: Sums, b: Sums): Sums => ({
  count: a.count + b.count,
  sum: a.sum + b.sum,
  squares: a.squares + b.squares,
});
