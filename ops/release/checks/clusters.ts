// Share of the sampled users whose new list is missing or different in a cluster. It is 0 once replication has ended.
import { makeCheck, SHARES, shareOf } from './check.ts';

export const clusters = makeCheck({
  name: 'clusters',
  defaultBound: 0,
  range: SHARES,
  rule: (bound) => `at most ${bound}`,
  judgesFirst: true,
  find: ({ users, differing }, bound) => {
    const lists = users.filter((user) => user.new !== undefined).length;
    const worst = Math.max(0, ...Object.values(differing));
    const share = shareOf(worst, lists);
    const named = Object.entries(differing).filter(([, count]) => count > 0);
    return {
      live: undefined,
      new: share,
      passes: share <= bound,
      detail:
        named.length === 0
          ? undefined
          : named.map(([region, count]) => `${region} differs in ${count} of ${lists}`).join(', '),
    };
  },
});
