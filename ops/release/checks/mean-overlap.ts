// Overlap@10 of two lists: the share of the first ten items of each that both have. Its mean over few users says
// nothing: a list of popular items hardly changes.
import { type CheckInput, type Pair, pairsOf, shareOf } from './check.ts';

/** Minimum number of users with a list in both releases. */
const MIN_PAIRS = 20;

/** Undefined for fewer than MIN_PAIRS users. */
export function meanOverlap(input: CheckInput): number | undefined {
  const pairs = pairsOf(input);
  if (pairs.length < MIN_PAIRS) return undefined;
  return pairs.reduce((sum, pair) => sum + overlapOf(pair), 0) / pairs.length;
}

/** The reason why there is no mean. */
export const describePairs = (input: CheckInput): string | undefined => {
  const { length } = pairsOf(input);
  return length < MIN_PAIRS ? `${length} users have lists in both: fewer than ${MIN_PAIRS} are not judged` : undefined;
};

/** Items of the longer list count, so a list that was cut has less in common. */
function overlapOf(pair: Pair): number {
  const live = new Set(pair.live.ids);
  const common = new Set(pair.new.ids.filter((id) => live.has(id))).size;
  return shareOf(common, Math.max(live.size, new Set(pair.new.ids).size));
}
