// Rounds of a drill. `npm test` runs two; `npm run drill -- NAME --rounds N` runs N.

export const drillRounds = Number(process.env.DRILL_ROUNDS ?? '2');
