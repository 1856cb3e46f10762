// Sample ratio mismatch of an experiment, from its exposures: users of each arm, whole and by country, tier, region and
// source. A tier or a region that serves one arm worse makes a mismatch by itself: then the cause is Earshot.

import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import type { Experiment } from '../../shared/domain/experiments/schema.ts';
import { sharesOf } from './changes.ts';
import { type ArmCount, LEAST_DEVIATION, type Mismatch, testAlike, testRatio } from './ratio-mismatch.ts';

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
}

const ALARM_P = 0.001;

export function checkRatio(name: string, experiment: Experiment, exposures: Iterable<ArchivedExposure>): SrmReport {
  const shares = sharesOf(experiment);
  const { users, crossovers } = firstExposures(name, experiment.salt, shares, exposures);
  const counts = countArms(shares, users);
  const splits = DIMENSIONS.flatMap((dimension) => splitBy(dimension, shares, users));
  const fallbacks = compareFallbacks(shares, users);
  const whole = testRatio(counts);
  return { ...whole, counts, crossovers, splits, fallbacks, causes: causesOf(splits, fallbacks) };
}

/** The first exposure of each user who was drawn into an arm. Users on the allow list were not drawn. */
function firstExposures(
  name: string,
  salt: string,
  shares: ReadonlyMap<string, number>,
  exposures: Iterable<ArchivedExposure>,
): { readonly users: readonly ArchivedExposure[]; readonly crossovers: number } {
  const first = new Map<string, ArchivedExposure>();
  const crossed = new Set<string>();
  for (const exposure of exposures) {
    if (exposure.experiment !== name || exposure.salt !== salt || exposure.reason !== 'bucket') continue;
    if (!shares.has(exposure.arm)) continue;
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

function causesOf(splits: readonly Split[], fallbacks: readonly FallbackDifference[]): string[] {
  const isOurs = ({ dimension }: Split): boolean => dimension === 'tier' || dimension === 'region';
  const alarmed = splits.filter((split) => isOurs(split) && split.verdict === 'alarm');
  // A mismatch of every region, or tier, is not made by one of them.
  const single = alarmed.filter((split) => {
    const others = splits.filter((each) => each.dimension === split.dimension && each !== split && each.users > 0);
    return others.some(({ verdict }) => verdict === 'ok');
  });
  return [
    ...single.map(({ dimension, value }) => `the ${dimension} ${value} has a mismatch that others have not`),
    ...fallbacks.map(({ region, shares }) => {
      const of = Object.entries(shares).map(([arm, share]) => `${arm} ${(100 * share).toFixed(1)} %`);
      return `the region ${region} serves the popular list by arm: ${of.join(', ')}`;
    }),
  ];
}
