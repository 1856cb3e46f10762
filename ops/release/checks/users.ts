// Number of lists of the release against the live one: a load that lost a part of its input has fewer.
import { makeCheck, SHARES } from './check.ts';

export const users = makeCheck({
  name: 'users',
  defaultBound: 0.9,
  range: SHARES,
  rule: (bound) => `at least ${bound} of live`,
  judgesFirst: true,
  find: ({ summaries }, bound) => {
    const live = summaries.live?.lists;
    const { lists } = summaries.new;
    return { live, new: lists, passes: lists > 0 && lists >= bound * (live ?? 0) };
  },
});
