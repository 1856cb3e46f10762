// Share of the lists' first items without a row in the items table, against the live release. An instance without
// metadata has 1 on both sides.
import { type CheckInput, makeCheck, SHARES, shareOf } from './check.ts';

export const unknownItems = makeCheck({
  name: 'unknown-items',
  defaultBound: 0.01,
  range: SHARES,
  rule: (bound) => `at most ${bound} more than live`,
  find: (input, bound) => {
    const share = unknownShare(input, 'new');
    const live = unknownShare(input, 'live');
    return { live, new: share, passes: (share ?? 0) <= (live ?? 0) + bound };
  },
});

function unknownShare({ users, lookedUp, unknown }: CheckInput, side: 'new' | 'live'): number | undefined {
  let places = 0;
  let missing = 0;
  for (const user of users) {
    for (const id of user[side]?.ids ?? []) {
      if (lookedUp.has(id)) places++;
      if (unknown.has(id)) missing++;
    }
  }
  return places === 0 ? undefined : shareOf(missing, places);
}
