// Share of lists whose scores do not descend, against the live release: a list is served in the order of its file.
import { countShares, makeCheck, SHARES } from './check.ts';

export const scoreOrder = makeCheck({
  name: 'score-order',
  defaultBound: 0.01,
  range: SHARES,
  rule: (bound) => `at most ${bound} more than live`,
  find: (input, bound) => {
    const shares = countShares(input, ({ isDescending }) => !isDescending);
    return { ...shares, passes: (shares.new ?? 0) <= (shares.live ?? 0) + bound };
  },
});
