// Tests for sample ratio mismatch: whether users of the arms are as many as their shares say. Fabijan et al.,
// "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
import { chiSquaredTail, lnGamma } from './distributions.ts';

export interface ArmCount {
  readonly arm: string;
  /** Share of the experiment's users, above 0. Shares are relative to their sum. */
  readonly share: number;
  readonly users: number;
}

export type Verdict = 'ok' | 'warning' | 'alarm';

export interface Mismatch {
  readonly users: number;
  /**
   * Valid however often one looks: the inverse of a Bayes factor with a Dirichlet prior. M. Lindon, A. Malek,
   * "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022.
   */
  readonly sequentialP: number;
  /** Of Pearson's chi-squared test: valid for one look at a planned moment. */
  readonly chiSquaredP: number;
  /** The largest difference of an arm's users from its share, relative to the share: 0.01 for one user in a hundred. */
  readonly deviation: number;
  readonly verdict: Verdict;
}

const WARNING_P = 0.01;
const ALARM_P = 0.001;
/** A smaller deviation is no reason to look for a fault, however sure it is. */
export const LEAST_DEVIATION = 0.001;

export function testRatio(counts: readonly ArmCount[]): Mismatch {
  const users = counts.reduce((sum, each) => sum + each.users, 0);
  const shares = counts.reduce((sum, { share }) => sum + share, 0);
  const expected = counts.map(({ share }) => share / shares);
  if (users === 0 || counts.length < 2) return { users, sequentialP: 1, chiSquaredP: 1, deviation: 0, verdict: 'ok' };
  const sequentialP = Math.min(1, Math.exp(-lnBayesFactor(counts, expected, users)));
  const chiSquared = counts.reduce((sum, each, i) => {
    const count = (expected[i] ?? 0) * users;
    return sum + (each.users - count) ** 2 / count;
  }, 0);
  const deviation = Math.max(...counts.map((each, i) => Math.abs(each.users / (users * (expected[i] ?? 1)) - 1)));
  return {
    users,
    sequentialP,
    chiSquaredP: chiSquaredTail(chiSquared, counts.length - 1),
    deviation,
    verdict: verdictOf(sequentialP, deviation),
  };
}

function verdictOf(p: number, deviation: number): Verdict {
  if (p < ALARM_P && deviation >= LEAST_DEVIATION) return 'alarm';
  return p < WARNING_P ? 'warning' : 'ok';
}

/** Against shares of a Dirichlet distribution around the expected ones, with the weight of one observation each. */
function lnBayesFactor(counts: readonly ArmCount[], expected: readonly number[], users: number): number {
  const alphas = expected.map((share) => share * expected.length);
  const total = alphas.reduce((sum, alpha) => sum + alpha, 0);
  const ofArms = counts.reduce((sum, each, i) => {
    const alpha = alphas[i] ?? 0;
    return sum + lnGamma(alpha + each.users) - lnGamma(alpha) - each.users * Math.log(expected[i] ?? 1);
  }, 0);
  return ofArms + lnGamma(total) - lnGamma(total + users);
}

/** The probability of as large a difference between the arms' shares of `some` by chance: Pearson's test of a table. */
export function testAlike(rows: readonly { readonly all: number; readonly some: number }[]): number {
  const known = rows.filter(({ all }) => all > 0);
  const [all, some] = [sum(known.map((row) => row.all)), sum(known.map((row) => row.some))];
  if (known.length < 2 || some === 0 || some === all) return 1;
  const share = some / all;
  const chiSquared = known.reduce(
    (total, row) => total + (row.some - row.all * share) ** 2 / (row.all * share * (1 - share)),
    0,
  );
  return chiSquaredTail(chiSquared, known.length - 1);
}

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
