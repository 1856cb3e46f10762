// A refused call is split until the key at fault is alone, so that no key of one caller costs another caller its list.
// One bad key among n takes 2 log2(n) more calls; MAX_CALLS bounds any number of them. An origin names a bad key in its
// frame, so this is for an origin of an earlier build, and for a proxy in front of it.
import type { OriginAnswer, RegionFailure } from './origin-client.ts';

export const MAX_CALLS = 32;

interface Range {
  readonly from: number;
  readonly to: number;
}

interface SplitOptions<Q, R> {
  readonly queries: readonly Q[];
  readonly read: (queries: readonly Q[]) => Promise<OriginAnswer<R[]>>;
  /** Whether one of the keys may be the reason of the refusal. */
  readonly isAboutKeys: (failure: RegionFailure) => boolean;
  /** Whether there is time for another call, and a caller that waits for it. */
  readonly mayContinue: () => boolean;
}

/** One answer per query, in order. */
export async function readSplitting<Q, R>(options: SplitOptions<Q, R>): Promise<OriginAnswer<R>[]> {
  const { queries, read, isAboutKeys, mayContinue } = options;
  const answers: OriginAnswer<R>[] = [];
  let calls = 0;

  /** Fills in the answers of a range. Returns its halves if they have to be read. */
  async function readRange({ from, to }: Range): Promise<Range[]> {
    calls++;
    const answer = await read(queries.slice(from, to));
    if (answer.kind === 'failed' && to - from > 1 && isAboutKeys(answer.failure)) {
      const middle = Math.ceil((from + to) / 2);
      fill({ from, to }, () => answer);
      return [
        { from, to: middle },
        { from: middle, to },
      ];
    }
    fill({ from, to }, (i) => (answer.kind === 'failed' ? answer : { kind: 'answered', value: answer.value[i] as R }));
    return [];
  }

  function fill({ from, to }: Range, answerOf: (i: number) => OriginAnswer<R>): void {
    for (let i = from; i < to; i++) answers[i] = answerOf(i - from);
  }

  let refused = await readRange({ from: 0, to: queries.length });
  while (refused.length > 0 && calls + 2 <= MAX_CALLS && mayContinue()) {
    const [first, second, ...others] = refused as [Range, Range, ...Range[]];
    refused = [...others, ...(await Promise.all([readRange(first), readRange(second)])).flat()];
  }
  return answers;
}
