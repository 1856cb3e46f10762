// A refused call is split until the key at fault is alone, so that no key of one caller costs another caller its list.
// One bad key among n takes 2 log2(n) more calls; MAX_CALLS bounds any number of them. An origin names a bad key in its
// frame, so this is for an origin of an earlier build, and for a proxy in front of it.
//
// Keys that an origin left out of an answer, because their lists were too large for it
// (shared/wire/bounded-results.ts), are read with another call. An origin leaves the largest lists out and never all of
// them, so each call makes progress.
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { bytesOfResult, type ListResult } from '../../shared/wire/read-response.ts';
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

/** Bound of the lists of all calls for left-out keys. A key beyond it fails, and its caller gets a fallback. */
export const MAX_LISTS_BYTES = 12_582_912;

type ReadQueries = (queries: readonly ListQuery[]) => Promise<OriginAnswer<ListResult[]>>;

/** `read`, continued while `mayContinue` and while the lists have less than MAX_LISTS_BYTES. */
export const readLeftOut =
  (read: ReadQueries, mayContinue: () => boolean): ReadQueries =>
  async (queries) => {
    const first = await read(queries);
    if (first.kind === 'failed') return first;
    const results = [...first.value];
    let leftOut = positionsLeftOut(results);
    while (
      leftOut.length > 0 &&
      leftOut.length < queries.length &&
      mayContinue() &&
      bytesOf(results) < MAX_LISTS_BYTES
    ) {
      const answer = await read(leftOut.map((position) => queries[position] as ListQuery));
      if (answer.kind === 'failed') break;
      for (const [i, position] of leftOut.entries()) results[position] = answer.value[i] as ListResult;
      const rest = positionsLeftOut(results);
      if (rest.length === leftOut.length) break;
      leftOut = rest;
    }
    return { kind: 'answered', value: results };
  };

const positionsLeftOut = (results: readonly ListResult[]): number[] =>
  results.flatMap((result, i) => (result.kind === 'error' && result.code === 'answer_too_large' ? [i] : []));

const bytesOf = (results: readonly ListResult[]): number =>
  results.reduce((bytes, result) => bytes + bytesOfResult(result), 0);
