// The state of one key while regions are tried, and its merge into one result. Pure.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListRequest, LoadFailureReason, LoadResult } from '../reads/list-source.ts';
import type { RegionLookup } from '../reads/trail.ts';

export interface KeyProgress {
  readonly request: ListRequest;
  readonly regions: RegionLookup[];
  loaded: Extract<LoadResult, { kind: 'entry' }> | undefined;
  reason: LoadFailureReason | undefined;
  retryAfterMs: number | undefined;
  stale: Entry | undefined;
}

export const startKey = (request: ListRequest): KeyProgress => ({
  request,
  regions: [],
  loaded: undefined,
  reason: undefined,
  retryAfterMs: undefined,
  stale: undefined,
});

/** Whether another region may be tried. A shed background load is not moved to the next region. */
export const isOpen = ({ loaded, reason }: KeyProgress): boolean =>
  loaded === undefined && reason !== 'background-shed';

/** Adds the result of one region. */
export function applyResult(progress: KeyProgress, result: LoadResult): void {
  progress.regions.push(...result.regions);
  if (result.kind === 'entry') {
    progress.loaded = result;
    return;
  }
  progress.reason = mergeReasons(progress.reason, result.reason);
  progress.retryAfterMs = result.retryAfterMs ?? progress.retryAfterMs;
  progress.stale = newerOf(progress.stale, result.stale);
}

/** Regions are at fault together only if each is. */
function mergeReasons(previous: LoadFailureReason | undefined, next: LoadFailureReason): LoadFailureReason {
  if (previous === undefined || next === 'background-shed' || next === previous) return next;
  const reasons = [previous, next];
  // One region had too little time: together they say nothing of the source.
  if (reasons.includes('wait-ended')) return 'wait-ended';
  if (reasons.some((each) => each === 'key-failed' || each === 'refused')) return 'key-failed';
  return reasons.includes('overloaded') ? 'overloaded' : next;
}

const newerOf = (a: Entry | undefined, b: Entry | undefined): Entry | undefined =>
  a === undefined || (b !== undefined && b.storedAtMs > a.storedAtMs) ? b : a;

/** The merged result. Without any attempt it is `region-unavailable`: no region could be tried in time. */
export function toLoadResult({ loaded, regions, reason, retryAfterMs, stale }: KeyProgress): LoadResult {
  if (loaded !== undefined) return { ...loaded, regions };
  return {
    kind: 'failed',
    reason: reason ?? 'region-unavailable',
    regions,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(stale === undefined ? {} : { stale }),
  };
}
