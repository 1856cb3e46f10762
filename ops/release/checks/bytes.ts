// Bytes of a list, p50 and p99, against the live release: caches and answers are sized for those.
import { FACTORS, factorBetween, makeCheck } from './check.ts';

export const bytes = makeCheck({
  name: 'bytes',
  defaultBound: 1.5,
  range: FACTORS,
  rule: (bound) => `at most ${bound} times live, or live ${bound} times as much`,
  find: ({ summaries }, bound) => {
    const factorOf = (at: 'p50' | 'p99'): number =>
      factorBetween(summaries.new.bytes[at], summaries.live?.bytes[at] ?? summaries.new.bytes[at]);
    const worst = factorOf('p99') > factorOf('p50') ? 'p99' : 'p50';
    return {
      live: summaries.live?.bytes[worst],
      new: summaries.new.bytes[worst],
      passes: factorOf(worst) <= bound,
      detail: `${worst} of the bytes of a list`,
    };
  },
});
