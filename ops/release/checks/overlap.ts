// Mean overlap@10 of the same users' lists in both releases. Lists that have almost nothing in common with those of
// yesterday belong to other users.
import { makeCheck, SHARES } from './check.ts';
import { describePairs, meanOverlap } from './mean-overlap.ts';

export const overlap = makeCheck({
  name: 'overlap',
  defaultBound: 0.4,
  range: SHARES,
  rule: (bound) => `at least ${bound}`,
  find: (input, bound) => {
    const mean = meanOverlap(input);
    return { live: undefined, new: mean, passes: mean === undefined || mean >= bound, detail: describePairs(input) };
  },
});
