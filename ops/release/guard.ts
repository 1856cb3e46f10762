// The guard of a canary: compares the users of the canary with those of the control cohort, who read the live release
// under keys that are as cold. A difference counts if it is larger than chance (z of 4, two-sided: one in 16 000) and
// larger than its bound.
import type { CohortSums, Cohorts, Sums } from '../../shared/domain/cohort.ts';

/** Users that each cohort needs. */
export const MIN_USERS = 300;
/** Users, or reads, of each cohort without which no share is compared. */
const MIN_COMPARED = 50;
const MIN_Z = 4;

export interface GuardRow {
  readonly check: string;
  readonly control: string;
  readonly canary: string;
  readonly bound: string;
  readonly verdict: 'pass' | 'bad' | 'few';
}

export interface GuardResult {
  readonly rows: readonly GuardRow[];
  /** `few`: a cohort has fewer than MIN_USERS users. */
  readonly verdict: 'good' | 'bad' | 'few';
}

interface ShareBound {
  readonly check: string;
  readonly count: (cohort: CohortSums) => number;
  /** Maximum increase of the share. */
  readonly increase: number;
}

const SHARES: readonly ShareBound[] = [
  { check: 'absent', count: ({ absent }) => absent, increase: 0.02 },
  { check: 'older', count: ({ older }) => older, increase: 0.05 },
  { check: 'errors', count: ({ errors }) => errors, increase: 0.01 },
];

interface MeanBound {
  readonly check: string;
  readonly sums: (cohort: CohortSums) => Sums;
  /** Bounds of the canary's mean over the control cohort's. */
  readonly least: number;
  readonly most: number;
  /** A difference of less than this is none, in the unit of the measure. */
  readonly leastDifference: number;
}

const MEANS: readonly MeanBound[] = [
  { check: 'items', sums: ({ items }) => items, least: 0.8, most: 1.5, leastDifference: 1 },
  { check: 'bytes', sums: ({ bytes }) => bytes, least: 0.67, most: 1.5, leastDifference: 100 },
  { check: 'latency', sums: ({ latencyMs }) => latencyMs, least: 0, most: 1.5, leastDifference: 5 },
];

export function compareCohorts({ canary, control }: Cohorts): GuardResult {
  const few = Math.min(canary.users, control.users) < MIN_USERS;
  const users: GuardRow = {
    check: 'users',
    control: String(control.users),
    canary: String(canary.users),
    bound: `>= ${MIN_USERS}`,
    verdict: few ? 'few' : 'pass',
  };
  const rows = [
    users,
    ...SHARES.map((each) => compareShares(each, canary, control)),
    ...MEANS.map((each) => compareMeans(each, canary, control)),
  ];
  // Few users prove a difference of shares, if it is large, and none of means.
  const counted = few ? rows.slice(0, 1 + SHARES.length) : rows;
  if (counted.some(({ verdict }) => verdict === 'bad')) return { rows, verdict: 'bad' };
  return { rows, verdict: few ? 'few' : 'good' };
}

/** Of users, and for errors of reads: a failed read has no user that counts. */
function compareShares({ check, count, increase }: ShareBound, canary: CohortSums, control: CohortSums): GuardRow {
  const [a, b] = [canary, control].map((cohort) => {
    const total = cohort.users + (check === 'errors' ? cohort.errors : 0);
    return { total, share: total === 0 ? 0 : count(cohort) / total };
  }) as [{ total: number; share: number }, { total: number; share: number }];
  const pooled = (a.share * a.total + b.share * b.total) / Math.max(1, a.total + b.total);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / Math.max(1, a.total) + 1 / Math.max(1, b.total)));
  const difference = a.share - b.share;
  const isComparable = Math.min(a.total, b.total) >= MIN_COMPARED;
  const isBad = isComparable && difference > increase && difference > MIN_Z * deviation;
  return {
    check,
    control: percent(b.share),
    canary: percent(a.share),
    bound: `<= control + ${percent(increase)}`,
    verdict: isBad ? 'bad' : 'pass',
  };
}

/** Welch's test of two means. */
function compareMeans(
  { check, sums, least, most, leastDifference }: MeanBound,
  canary: CohortSums,
  control: CohortSums,
): GuardRow {
  const a = momentsOf(sums(canary));
  const b = momentsOf(sums(control));
  const ratio = b.mean === 0 ? 1 : a.mean / b.mean;
  const difference = Math.abs(a.mean - b.mean);
  const isBeyond = (ratio < least || ratio > most) && difference >= leastDifference;
  const isBad = isBeyond && difference > MIN_Z * Math.sqrt(a.squaredError + b.squaredError);
  return {
    check,
    control: b.mean.toFixed(1),
    canary: a.mean.toFixed(1),
    bound: `${least === 0 ? '' : `>= ${least} and `}<= ${most} times`,
    verdict: isBad ? 'bad' : 'pass',
  };
}

/** Mean, and the square of its standard error. */
function momentsOf({ count, sum, squares }: Sums): { readonly mean: number; readonly squaredError: number } {
  if (count === 0) return { mean: 0, squaredError: 0 };
  const mean = sum / count;
  return { mean, squaredError: Math.max(0, squares / count - mean * mean) / count };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
