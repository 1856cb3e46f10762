// Mean overlap@10 has a greatest bound, too: lists that are all as yesterday come from yesterday's file. Equal
// checksums prove it for any number of users, and count as 1.
import { makeCheck, SHARES } from './check.ts';
import { describePairs, meanOverlap } from './mean-overlap.ts';

export const unchanged = makeCheck({
  name: 'unchanged',
  defaultBound: 0.98,
  range: SHARES,
  rule: (bound) => `at most ${bound}`,
  find: (input, bound) => {
    const { summaries } = input;
    const isSameFile = summaries.live?.checksum === summaries.new.checksum;
    const mean = isSameFile ? 1 : meanOverlap(input);
    return {
      live: undefined,
      new: mean,
      passes: mean === undefined || mean <= bound,
      detail: isSameFile ? 'both releases have the same checksum' : describePairs(input),
    };
  },
});
