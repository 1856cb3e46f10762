// Median spread of a list's scores against the live release: a model that scores all items alike ranks nothing.
import { type CheckInput, FACTORS, factorBetween, makeCheck } from './check.ts';

export const scoreSpread = makeCheck({
  name: 'score-spread',
  defaultBound: 2,
  range: FACTORS,
  rule: (bound) => `at most ${bound} times live, or live ${bound} times as much`,
  find: (input, bound) => {
    const spread = medianSpread(input, 'new');
    const live = medianSpread(input, 'live');
    const isComparable = spread !== undefined && live !== undefined;
    return { live, new: spread, passes: !isComparable || factorBetween(spread, live) <= bound };
  },
});

/** Undefined if no list has two items. */
function medianSpread({ users }: CheckInput, side: 'new' | 'live'): number | undefined {
  const lists = users.flatMap((user) => user[side] ?? []).filter(({ items }) => items > 1);
  const spreads = lists.map(({ spread }) => spread).sort((a, b) => a - b);
  return spreads[Math.floor(spreads.length / 2)];
}
