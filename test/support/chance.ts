// Seeded random numbers: the same seed gives the same run, so a violation can be reproduced.

export interface Chance {
  /** Uniform, from 0 to 1, 1 excluded. */
  next(): number;
  /** An integer from 0 to `count` - 1. */
  below(count: number): number;
  /** True with this likelihood. */
  is(likelihood: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** Source: mulberry32 by T. Ettinger, in the public domain. */
export function createChance(seed: number): Chance {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return { next, below, is: (likelihood) => next() < likelihood, pick: (from) => from[below(from.length)] as never };
}
