// A check of the gate: a pure function of two releases' summaries and of the same users' lists in both. Each check has
// a bound, and a surface may set its own (`manifest.surfaces[s].checks`).
import type { ReleaseSummary } from '../../bigtable/release-record.ts';

/** The part of a list that the checks look at. */
export interface SampledList {
  /** Milliseconds since the epoch. A live list may be older than the live release. */
  readonly generation: number;
  /** Ids of the first FIRST_ITEMS items. */
  readonly ids: readonly string[];
  readonly items: number;
  readonly bytes: number;
  readonly digest: string;
  /** Whether no score is above the one before it. */
  readonly isDescending: boolean;
  /** The highest score minus the lowest. */
  readonly spread: number;
}

/** Overlap@10 and unknown items look at so many items of a list. */
export const FIRST_ITEMS = 10;

export interface SampledUser {
  readonly rowKey: string;
  /** The user's list in the new release's own cells. */
  readonly new: SampledList | undefined;
  /** The list that the user reads while the live release is live. */
  readonly live: SampledList | undefined;
}

export interface CheckInput {
  readonly summaries: { readonly new: ReleaseSummary; readonly live: ReleaseSummary | undefined };
  /** Generation of the live release in ms since the epoch. Undefined before the first one. */
  readonly liveGeneration: number | undefined;
  readonly users: readonly SampledUser[];
  /** Ids among the first items of the lists that were looked up in the items table. */
  readonly lookedUp: ReadonlySet<string>;
  /** Those of them without a row. */
  readonly unknown: ReadonlySet<string>;
  /** Number of users whose new list is missing or different in a region, by region. */
  readonly differing: Readonly<Record<string, number>>;
}

export type Verdict = 'pass' | 'refused' | 'accepted' | 'first';

export interface CheckRow {
  readonly check: string;
  /** Undefined without a live release, or if there was nothing to measure. */
  readonly live: number | undefined;
  readonly new: number | undefined;
  readonly bound: number;
  /** The bound in words, for example `at least 0.9 of live`. */
  readonly rule: string;
  /** `first`: nothing to compare with, because no release is live. */
  readonly verdict: Verdict;
  readonly detail?: string | undefined;
}

export interface Check {
  readonly name: string;
  readonly defaultBound: number;
  /** The bounds that a surface may set. */
  readonly range: readonly [least: number, most: number];
  readonly run: (input: CheckInput, bound: number) => CheckRow;
}

export type Finding = Pick<CheckRow, 'live' | 'new' | 'detail'> & { readonly passes: boolean };

export interface CheckDefinition extends Omit<Check, 'run'> {
  readonly rule: (bound: number) => string;
  /** Whether the check is meaningful without a live release. */
  readonly judgesFirst?: boolean;
  readonly find: (input: CheckInput, bound: number) => Finding;
}

/** A check that is `first` without a live release, unless the definition judges those, too. */
export const makeCheck = ({ rule, judgesFirst = false, find, ...check }: CheckDefinition): Check => ({
  ...check,
  run: (input, bound) => {
    const { passes, ...found } = find(input, bound);
    const isFirst = input.liveGeneration === undefined && (!judgesFirst || passes);
    return {
      check: check.name,
      bound,
      rule: rule(bound),
      ...found,
      verdict: isFirst ? 'first' : passes ? 'pass' : 'refused',
    };
  },
});

export const SHARES = [0, 1] as const;
/** Bounds of a factor: 1 is equality. */
export const FACTORS = [1, 1_000_000] as const;

/** 0 for nothing of nothing. */
export const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** How many times the larger is as much as the smaller: 1 for two zeros, Infinity for one. */
export function factorBetween(a: number, b: number): number {
  const [small, large] = a < b ? [a, b] : [b, a];
  return large === 0 ? 1 : large / small;
}

export interface Pair {
  readonly new: SampledList;
  readonly live: SampledList;
}

/** The users with a list in both releases. */
export const pairsOf = ({ users }: Pick<CheckInput, 'users'>): Pair[] =>
  users.flatMap((user) => (user.new && user.live ? [{ new: user.new, live: user.live }] : []));

/** The share of lists on each side for which `is` holds. */
export const countShares = ({ users }: CheckInput, is: (list: SampledList) => boolean) => {
  const share = (side: 'new' | 'live'): number | undefined => {
    const lists = users.flatMap((user) => user[side] ?? []);
    return lists.length === 0 ? undefined : shareOf(lists.filter(is).length, lists.length);
  };
  return { live: share('live'), new: share('new') };
};
