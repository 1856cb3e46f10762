// Share of users whose list has fewer than half of the items of their live list.
import { makeCheck, pairsOf, SHARES, shareOf } from './check.ts';

export const shortLists = makeCheck({
  name: 'short-lists',
  defaultBound: 0.05,
  range: SHARES,
  rule: (bound) => `at most ${bound}`,
  find: (input, bound) => {
    const pairs = pairsOf(input);
    const share = shareOf(pairs.filter((pair) => pair.new.items < pair.live.items / 2).length, pairs.length);
    return { live: undefined, new: share, passes: share <= bound };
  },
});
