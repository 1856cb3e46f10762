// Rounds of a drill. `npm test` runs two; `npm run drill -- NAME --rounds N` runs N. DRILL_SEED chooses the random
// inputs of the first round.

const text = process.env.DRILL_ROUNDS ?? '2';
// Zero rounds would be a test that cannot fail.
if (!/^[1-9]\d{0,4}$/.test(text))
  throw new Error(`expected DRILL_ROUNDS to be a whole number from 1 to 99999, got ${JSON.stringify(text)}`);

export const drillRounds = Number(text);

const seed = process.env.DRILL_SEED ?? '1';
if (!/^\d{1,9}$/.test(seed))
  throw new Error(`expected DRILL_SEED to be a whole number of at most 9 digits, got ${JSON.stringify(seed)}`);

export const drillSeed = Number(seed);
