// Share of users whom the release serves nothing of its own: users of the live release without a list in the new one's
// cells, and lists without items. Users with an older list only have left the loads earlier, and do not count.
import { makeCheck, SHARES, shareOf } from './check.ts';

export const emptyLists = makeCheck({
  name: 'empty-lists',
  defaultBound: 0.1,
  range: SHARES,
  rule: (bound) => `at most ${bound}`,
  judgesFirst: true,
  find: ({ users, liveGeneration }, bound) => {
    const served = users.filter((user) => user.new !== undefined || user.live?.generation === liveGeneration);
    const missing = served.filter((user) => user.new === undefined).length;
    const without = served.filter((user) => user.new?.items === 0).length;
    const share = shareOf(missing + without, served.length);
    const liveLists = users.filter(({ live }) => live?.generation === liveGeneration && live !== undefined);
    return {
      live: liveLists.length === 0 ? undefined : shareOf(liveLists.filter(isEmpty).length, liveLists.length),
      new: share,
      passes: share <= bound,
      detail: share > 0 ? `${missing} missing, ${without} without items, of ${served.length}` : undefined,
    };
  },
});

const isEmpty = ({ live }: { readonly live: { readonly items: number } | undefined }): boolean => live?.items === 0;
