// Synthetic lists, the same for the same seed: popular items stand in many lists, each user has a taste, and a share of
// every list changes from one day to the next. Pure.
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';

export interface SampleShape {
  readonly seed: number;
  /** Number of different items. */
  readonly catalogue: number;
  /** Items of the longest lists; 1 to 100. Half of the users have as many, the others down to a tenth. */
  readonly length: number;
}

export interface SampleList {
  readonly user: string;
  readonly items: { readonly id: string; readonly score: number }[];
}

/** A position keeps its item for so many days at most: a list changes by about an eighth from day to day. */
const LONGEST_DAYS = 16;

export const sampleUser = (i: number): string => `sample:${i}`;

/** The list of a surface on a day, from 0. `~popular` has the items of the first ranks. */
export function sampleList(
  { seed, catalogue, length }: SampleShape,
  surface: string,
  day: number,
  user: string,
): SampleList {
  const draw = (what: string): number => (murmur3(`${surface}/${user}/${what}`, seed) + 0.5) / 2 ** 32;
  const count =
    user === POPULAR_USER ? length : Math.max(1, Math.round(length * Math.min(1, 0.1 + 1.8 * draw('length'))));
  const ranks = new Set<number>();
  for (let i = 0; ranks.size < Math.min(count, catalogue); i++) {
    const period = 1 + Math.floor(draw(`period ${i}`) * LONGEST_DAYS);
    const turn = Math.floor((day + Math.floor(draw(`start ${i}`) * period)) / period);
    // Zipf's law with the exponent 1: the logarithm of the rank is even.
    let rank = user === POPULAR_USER ? i : Math.floor(catalogue ** draw(`item ${i} ${turn}`)) - 1;
    while (ranks.has(rank)) rank = (rank + 1) % catalogue;
    ranks.add(rank);
  }
  const items = [...ranks].map((rank, i) => ({ id: `item:${rank + 1}`, score: scoreOf(i, draw('score')) }));
  return { user, items };
}

/** Falls with the position, with at most 6 decimals. */
const scoreOf = (position: number, scale: number): number =>
  Number(((0.6 + 0.4 * scale) / (1 + position / 10)).toFixed(6));
