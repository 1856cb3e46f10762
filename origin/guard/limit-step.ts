// The next concurrency limit from the congestion of one window. Pure. A gradient as in Netflix' Gradient2Limit
// (github.com/Netflix/concurrency-limits) and Envoy's adaptive concurrency filter: the limit times tolerated over
// measured congestion, plus the square root of the limit, so that it keeps looking for more.
import { FULL_OVERLOAD_SHARE } from './queue-delay-limit.ts';

export interface LimitBounds {
  readonly initialLimit: number;
  readonly minLimit: number;
  readonly maxLimit: number;
}

export interface LimitStep {
  readonly limit: number;
  readonly change: 'held-down' | 'free' | 'none';
}

/** Tolerated latency over baseline. Bursts and merged reads, which wait for a call in flight, are within it. */
const TOLERANCE = 2;
/** The same in a full overload, where a longer queue at the server gains no throughput. */
const OVERLOAD_TOLERANCE = 1.4;
const MIN_GRADIENT = 0.5;
const MAX_GRADIENT = 1.25;
/** Share of the way to a higher target. A lower target is taken at once: until then each read is late. */
const GROWTH = 0.5;
/** A limit of which less was used does not grow. */
const GROWTH_SHARE = 0.8;
/** A limit of which less was used shrinks (RFC 7661, congestion window validation): an unused limit proves nothing. */
const USED_SHARE = 0.5;
const DECAY = 0.95;

export const toleranceAt = (refusedShare: number): number =>
  TOLERANCE - (TOLERANCE - OVERLOAD_TOLERANCE) * Math.min(1, refusedShare / FULL_OVERLOAD_SHARE);

export const clampLimit = (limit: number, { minLimit, maxLimit }: LimitBounds): number =>
  Math.min(maxLimit, Math.max(minLimit, limit));

/** `ratio`: tolerated over measured congestion. `peak`: maximum number of keys in flight. */
export function stepLimit(limit: number, ratio: number, peak: number, bounds: LimitBounds): LimitStep {
  const gradient = Math.min(MAX_GRADIENT, Math.max(MIN_GRADIENT, ratio));
  const target = gradient * limit + Math.sqrt(limit);
  if (target < limit) return { limit: clampLimit(target, bounds), change: 'held-down' };
  const change = gradient >= 1 ? 'free' : 'none';
  if (peak >= limit * GROWTH_SHARE) return { limit: clampLimit(limit + GROWTH * (target - limit), bounds), change };
  if (peak >= limit * USED_SHARE) return { limit, change };
  return { limit: Math.max(Math.min(limit, clampLimit(bounds.initialLimit, bounds)), limit * DECAY), change };
}
