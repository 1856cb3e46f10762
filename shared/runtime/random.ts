// Chance as a dependency, as time is one (clock.ts): tests say what comes. This is the only file that touches the
// platform's own.

/** A number from 0 to 1, 1 excluded, uniform. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();
