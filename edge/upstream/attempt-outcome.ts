// The outcome of one attempt to read from a region, derived from its results. Pure.
import { isRegionFault, type LoadResult } from '../reads/list-source.ts';

export type AttemptOutcome =
  /** The region answered, its origin included. */
  | 'answered'
  /** The region's object answered from its cache. That measures the distance, and says nothing of the origin. */
  | 'cached'
  /** The region as a whole failed. */
  | 'failed'
  /** Another region answered first, or would have answered long before. */
  | 'lost-race'
  /** The region is overloaded. It is not at fault, and another region would only get its load. */
  | 'shed'
  /** The region refused the call (4xx). It is reachable, and is not judged by it. */
  | 'refused'
  /** The attempt was cancelled, or had less time than the region usually needs. It says nothing. */
  | 'unknown';

/** A region has failed as a whole if every result is a failure of the region. */
export function outcomeOf(results: readonly LoadResult[]): AttemptOutcome {
  if (results.every((result) => result.kind === 'failed' && result.reason === 'region-unavailable')) return 'failed';
  if (results.every((result) => result.kind === 'failed' && result.reason === 'refused')) return 'refused';
  if (isWaitEnded(results)) return 'unknown';
  if (results.some(isShed)) return 'shed';
  return results.some(({ regions }) => regions.some(({ origin }) => origin !== undefined)) ? 'answered' : 'cached';
}

/** The region's object stopped waiting for its origin. */
export const isWaitEnded = (results: readonly LoadResult[]): boolean =>
  results.every((result) => result.kind === 'failed' && result.reason === 'wait-ended');

const isShed = (result: LoadResult): boolean =>
  result.kind === 'failed' &&
  (result.reason === 'overloaded' || result.reason === 'background-shed' || result.retryAfterMs !== undefined);

/** Shed background work says nothing of the reads that callers wait for. */
export const toBackgroundOutcome = (outcome: AttemptOutcome): AttemptOutcome =>
  outcome === 'shed' ? 'unknown' : outcome;

/** Whether no key of the request should be read from this region again. */
export const isWholeRegionFault = (results: readonly LoadResult[]): boolean =>
  results.every((result) => result.kind === 'failed' && isRegionFault(result));

/** The longest back-off that a result names, in milliseconds. */
export function retryAfterMsOf(results: readonly LoadResult[]): number | undefined {
  const all = results.flatMap((result) => (result.kind === 'failed' ? (result.retryAfterMs ?? []) : []));
  return all.length === 0 ? undefined : Math.max(...all);
}
