// Randomness as a dependency, so tests choose it. Only this file uses the platform's generator.
/** A uniform number from 0 to 1, excluding 1. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();
