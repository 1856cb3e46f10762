// Sample ratio mismatch of an experiment, from its exposures: users of each arm, whole and by country, tier, region and
// source. A tier or a region that serves one arm worse makes a mismatch by itself: then the cause is Earshot. Tiers and
// sources alone prove nothing: the lists of a new variant are in fewer caches, and its release may cover fewer users.

import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import { HOUR_MS } from '../../shared/domain/experiments/exposure.ts';
import type { Experiment } from '../../shared/domain/experiments/schema.ts';
import { type ArmCount, LEAST_DEVIATION, type Mismatch, testAlike, testRatio } from './ratio-mismatch.ts';
import { sharesOf } from './slots.ts';

export const DIMENSIONS = ['country', 'tier', 'region', 'source'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface Split extends Mismatch {
  readonly dimension: Dimension;
  readonly value: string;
  readonly counts: readonly ArmCount[];
}

export interface FallbackDifference {
  readonly region: string;
  /** Share of users with the popular list, by arm. */
  readonly shares: Readonly<Record<string, number>>;
  readonly p: number;
}

export interface SrmReport extends Mismatch {
  readonly counts: readonly ArmCount[];
  /** Users who were seen in two arms. They are in no count. */
  readonly crossovers: number;
  readonly splits: readonly Split[];
  /** Regions that fall back to the popular list more often for one arm. */
  readonly fallbacks: readonly FallbackDifference[];
  /** Why the mismatch, or a difference that will bias the result, is Earshot's own. */
  readonly causes: readonly string[];
  /** Other differences that may bias the result. */
  readonly notes: readonly string[];
}

const ALARM_P = 0.001;
/** A manifest is live everywhere by then, after a change. */
const LIVE_WITHIN_MS = 60_000;

export function checkRatio(name: string, experiment: Experiment, exposures: Iterable<ArchivedExposure>): SrmReport {
  const shares = sharesOf(experiment);
  const { users, crossovers } = firstExposures(name, experiment, shares, exposures);
  const counts = countArms(shares, users);
  const splits = DIMENSIONS.flatMap((dimension) => splitBy(dimension, shares, users));
  const fallbacks = compareFallbacks(shares, users);
  const whole = testRatio(counts);
  return { ...whole, counts, crossovers, splits, fallbacks, ...reasonsFor(whole, counts, splits, fallbacks) };
}

/**
 * Whether the exposure is of the experiment under its salt and shares of now. Tokens of before a change of the shares
 * would be held against shares that they do not come from.
 */
export function isOfRun(
  name: string,
  { salt, sharesSinceMs }: Pick<Experiment, 'salt' | 'sharesSinceMs'>,
  exposure: Pick<ArchivedExposure, 'experiment' | 'salt' | 'hour'>,
): boolean {
  const lastHour = sharesSinceMs === undefined ? -1 : Math.floor((sharesSinceMs + LIVE_WITHIN_MS) / HOUR_MS);
  return exposure.experiment === name && exposure.salt === salt && exposure.hour > lastHour;
}

/** The first exposure of each user who was drawn into an arm. Users on the allow list were not drawn. */
function firstExposures(
  name: string,
  experiment: Experiment,
  shares: ReadonlyMap<string, number>,
  exposures: Iterable<ArchivedExposure>,
): { readonly users: readonly ArchivedExposure[]; readonly crossovers: number } {
  const first = new Map<string, ArchivedExposure>();
  const crossed = new Set<string>();
  for (const exposure of exposures) {
    if (!isOfRun(name, experiment, exposure) || exposure.reason !== 'bucket' || !shares.has(exposure.arm)) continue;
    const known = first.get(exposure.userRef);
    if (known === undefined || exposure.atMs < known.atMs) first.set(exposure.userRef, exposure);
    if (known !== undefined && known.arm !== exposure.arm) crossed.add(exposure.userRef);
  }
  for (const user of crossed) first.delete(user);
  return { users: [...first.values()], crossovers: crossed.size };
}

const countArms = (shares: ReadonlyMap<string, number>, users: readonly ArchivedExposure[]): ArmCount[] => {
  const counts = new Map<string, number>();
  for (const { arm } of users) counts.set(arm, (counts.get(arm) ?? 0) + 1);
  return [...shares].flatMap(([arm, share]) => (share === 0 ? [] : [{ arm, share, users: counts.get(arm) ?? 0 }]));
};

function splitBy(
  dimension: Dimension,
  shares: ReadonlyMap<string, number>,
  users: readonly ArchivedExposure[],
): Split[] {
  const groups = Map.groupBy(users, (exposure) => exposure[dimension] ?? '-');
  return [...groups]
    .map(([value, own]) => {
      const counts = countArms(shares, own);
      return { dimension, value, counts, ...testRatio(counts) };
    })
    .sort((a, b) => b.users - a.users);
}

function compareFallbacks(
  shares: ReadonlyMap<string, number>,
  users: readonly ArchivedExposure[],
): FallbackDifference[] {
  const byRegion = Map.groupBy(users, ({ region }) => region ?? '-');
  return [...byRegion].flatMap(([region, own]) => {
    const rows = [...shares.keys()].map((arm) => {
      const all = own.filter((exposure) => exposure.arm === arm);
      return { arm, all: all.length, some: all.filter(({ source }) => source === 'popular').length };
    });
    const p = testAlike(rows);
    const shown = rows.map(({ arm, all, some }) => [arm, all === 0 ? 0 : some / all] as const);
    const values = shown.map(([, share]) => share);
    const isLarge = Math.max(...values) - Math.min(...values) >= LEAST_DEVIATION;
    return p < ALARM_P && isLarge ? [{ region, shares: Object.fromEntries(shown), p }] : [];
  });
}

function reasonsFor(
  whole: Mismatch,
  counts: readonly ArmCount[],
  splits: readonly Split[],
  fallbacks: readonly FallbackDifference[],
): Pick<SrmReport, 'causes' | 'notes'> {
  const regions = splits.filter(({ dimension }) => dimension === 'region').length;
  const describe = ({ shares }: FallbackDifference): string =>
    Object.entries(shares)
      .map(([arm, share]) => `${arm} ${(100 * share).toFixed(1)} %`)
      .join(', ');
  // Where every region falls back for the same arm, the arm has fewer lists.
  const isEverywhere = fallbacks.length === regions;
  const [first] = fallbacks;
  return {
    causes: [
      ...(whole.verdict === 'ok' ? [] : splits.filter((split) => explains(split, counts)).map(nameSplit)),
      ...(isEverywhere
        ? []
        : fallbacks.map((each) => `the region ${each.region} serves the popular list by arm: ${describe(each)}`)),
    ],
    notes:
      isEverywhere && first !== undefined
        ? [`every region serves the popular list by arm, so a release covers fewer users: ${describe(first)}`]
        : [],
  };
}

const nameSplit = ({ dimension, value }: Split): string => `without the ${dimension} ${value} there is no mismatch`;

/** Whether a tier or a region of Earshot has the mismatch, and the users of all others together have none. */
function explains({ dimension, verdict, counts: own }: Split, counts: readonly ArmCount[]): boolean {
  if ((dimension !== 'tier' && dimension !== 'region') || verdict === 'ok') return false;
  const others = counts.map((each, i) => ({ ...each, users: each.users - (own[i]?.users ?? 0) }));
  const rest = testRatio(others);
  return rest.users > 0 && rest.verdict === 'ok';
}
