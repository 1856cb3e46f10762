// Share of users whose list has more than twice the items of their live list. The cost of a read grows with its bytes.
import { makeCheck, pairsOf, SHARES, shareOf } from './check.ts';

export const longLists = makeCheck({
  name: 'long-lists',
  defaultBound: 0.05,
  range: SHARES,
  rule: (bound) => `at most ${bound}`,
  find: (input, bound) => {
    const pairs = pairsOf(input);
    const share = shareOf(pairs.filter((pair) => pair.new.items > pair.live.items * 2).length, pairs.length);
    return { live: undefined, new: share, passes: share <= bound };
  },
});
