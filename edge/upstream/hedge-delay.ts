// When a second region is asked, and when a region counts as slow or hopeless. Pure functions of the measured round
// trips.
import type { Region } from '../../shared/domain/regions.ts';
import type { Place } from '../request/place.ts';
import type { Expectation, RoundTrips } from './round-trips.ts';

/**
 * The p95 of the region's answers; up to the p99 when the budget runs low, so that the slowest attempts still get a
 * hedge.
 */
const HEDGE_QUANTILE = { earliest: 0.95, latest: 0.99 };
const USUAL_QUANTILE = 0.95;
const MIN_HEDGE_DELAY_MS = 10;
/** Without enough samples: this multiple of the expected round trip, plus this many milliseconds. */
const UNMEASURED_HEDGE_DELAY = { factor: 2, ms: 100 };
/** An answer is overdue after this multiple of another region's expected round trip, plus this many milliseconds. */
const OVERDUE = { factor: 2, ms: 100 };
/** A region is not tried if its expected round trip exceeds this multiple of the remaining time. */
const HOPELESS_FACTOR = 2;

/** Milliseconds without an answer after which a hedge leaves. `budgetLevel` is 0 to 1. */
export function hedgeDelayMs(roundTrips: RoundTrips, budgetLevel: number, region: Region, place: Place): number {
  const { earliest, latest } = HEDGE_QUANTILE;
  return Math.max(MIN_HEDGE_DELAY_MS, boundMs(roundTrips, latest - (latest - earliest) * budgetLevel, region, place));
}

/** Milliseconds that the region usually needs: its p95, or a generous bound before enough samples. */
export const usualMs = (roundTrips: RoundTrips, region: Region, place: Place): number =>
  boundMs(roundTrips, USUAL_QUANTILE, region, place);

function boundMs(roundTrips: RoundTrips, quantile: number, region: Region, place: Place): number {
  const measuredMs = roundTrips.quantile(region.name, place.name, quantile);
  if (measuredMs !== undefined) return measuredMs;
  return roundTrips.expect(region, place).ms * UNMEASURED_HEDGE_DELAY.factor + UNMEASURED_HEDGE_DELAY.ms;
}

/** Milliseconds after which the best of `others` would have answered long ago. Infinite without others. */
export function overdueAfterMs(roundTrips: RoundTrips, others: readonly Region[], place: Place): number {
  const bestMs = Math.min(...others.map((other) => roundTrips.expect(other, place).ms));
  return bestMs * OVERDUE.factor + OVERDUE.ms;
}

/** Whether the region is not expected to answer within `leftMs`. */
export const isHopeless = ({ ms, isMeasured }: Expectation, leftMs: number): boolean =>
  isMeasured && ms > HOPELESS_FACTOR * leftMs;

/** The same for all regions of a place, if one is measured: then the priors of the others include its overhead. */
export const isPlaceHopeless = (all: readonly Expectation[], leftMs: number): boolean =>
  all.some(({ isMeasured }) => isMeasured) && all.every(({ ms }) => ms > HOPELESS_FACTOR * leftMs);
