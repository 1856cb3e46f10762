// Expected round trip to each region from a place: a prior from coordinates, replaced by a moving average of measured
// answers. An average that no answer confirms decays back to the prior, so a region that was slow once is tried again.
//
// A measurement spans a whole call, which is I/O: worker clocks stand still while a worker computes.
import { expectedRoundTripMs } from '../../shared/domain/distance-prior.ts';
import { estimateRoundTripMs, type Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { createLatencyHistogram, type LatencyHistogram } from '../../shared/runtime/latency-histogram.ts';
import type { Place } from '../request/place.ts';
import { orderRegions } from './region-order.ts';

export interface Expectation {
  readonly ms: number;
  /** Whether the expectation includes measurements. */
  readonly isMeasured: boolean;
}

export interface RoundTrips {
  /** Records an answer of a region after `ms`. */
  observe(region: string, place: string, ms: number): void;
  expect(region: Region, place: Place): Expectation;
  /** All regions, fastest first. Without coordinates or measurements, in configuration order. */
  order(place: Place): readonly Region[];
  /** Latency that the given share (0 to 1) of answers stays within. Undefined before enough samples. */
  quantile(region: string, place: string, share: number): number | undefined;
}

interface RoundTripsOptions {
  readonly regions: readonly Region[];
  readonly clock: Clock;
}

/** Weight of the newest answer: about the last twenty answers make up the average. */
const SMOOTHING = 0.1;
/** An answer counts as at most this multiple of the average. Outlier detection handles slower ones. */
const MAX_RATIO = 5;
/** Minimum samples of an average. */
const MIN_SAMPLES = 10;
/** Time after which an unconfirmed average counts half. */
const HALF_LIFE_MS = 60_000;
/** Maximum number of places with measurements. The local cloud knows twenty. */
const MAX_PLACES = 64;
/** Prior without coordinates: a quarter of the way round the Earth, the mean distance of two places. */
const UNKNOWN_PRIOR_MS = estimateRoundTripMs(10_000);

interface Average {
  meanMs: number;
  samples: number;
  atMs: number;
  readonly histogram: LatencyHistogram;
}

interface PlaceState {
  readonly byRegion: Map<string, Average>;
  order: readonly Region[];
}

export function createRoundTrips({ regions, clock }: RoundTripsOptions): RoundTrips {
  const places = new Map<string, PlaceState>();

  function stateAt(name: string): PlaceState {
    let state = places.get(name);
    if (state === undefined) {
      if (places.size >= MAX_PLACES) places.delete(places.keys().next().value as string);
      state = { byRegion: new Map(), order: [] };
      places.set(name, state);
    }
    return state;
  }

  function expect(region: Region, place: Place): Expectation {
    const { byRegion } = stateAt(place.name);
    const nowMs = clock.now();
    const average = byRegion.get(region.name);
    const weight = weightOf(average, nowMs);
    const priorMs = priorMsOf(region, place) + overheadMs(regions, byRegion, place, nowMs);
    if (average === undefined || weight === 0) return { ms: priorMs, isMeasured: false };
    return { ms: weight * average.meanMs + (1 - weight) * priorMs, isMeasured: true };
  }

  return {
    observe: (region, place, ms) => {
      const { byRegion } = stateAt(place);
      const average = byRegion.get(region);
      if (average === undefined) byRegion.set(region, startAverage(ms, clock.now()));
      else addSample(average, ms, clock.now());
    },
    expect,
    order: (place) => {
      const state = stateAt(place.name);
      const expected = new Map(regions.map((region) => [region, expect(region, place).ms]));
      const previous = state.byRegion.size === 0 ? [] : state.order;
      state.order = orderRegions(regions, previous, (region) => expected.get(region) as number);
      return state.order;
    },
    quantile: (region, place, share) => places.get(place)?.byRegion.get(region)?.histogram.quantile(share),
  };
}

const priorMsOf = (region: Region, { coordinates }: Place): number =>
  coordinates === undefined ? UNKNOWN_PRIOR_MS : expectedRoundTripMs(region, coordinates);

/** Weight of the average against the prior, 0 to 1. */
const weightOf = (average: Average | undefined, nowMs: number): number =>
  average === undefined || average.samples < MIN_SAMPLES ? 0 : 2 ** -((nowMs - average.atMs) / HALF_LIFE_MS);

/**
 * Least measured time beyond the prior of a region. Added to the other priors, it makes them comparable with
 * measurements.
 */
function overheadMs(
  regions: readonly Region[],
  byRegion: ReadonlyMap<string, Average>,
  place: Place,
  nowMs: number,
): number {
  const overheads = regions.flatMap((region) => {
    const average = byRegion.get(region.name);
    return average === undefined || weightOf(average, nowMs) < 0.5 ? [] : [average.meanMs - priorMsOf(region, place)];
  });
  return overheads.length === 0 ? 0 : Math.max(0, Math.min(...overheads));
}

function startAverage(ms: number, nowMs: number): Average {
  const histogram = createLatencyHistogram();
  histogram.observe(ms);
  return { meanMs: ms, samples: 1, atMs: nowMs, histogram };
}

function addSample(average: Average, ms: number, nowMs: number): void {
  average.histogram.observe(ms);
  average.samples++;
  average.atMs = nowMs;
  const smoothing = Math.max(SMOOTHING, 1 / average.samples);
  average.meanMs += smoothing * (Math.min(ms, MAX_RATIO * Math.max(1, average.meanMs)) - average.meanMs);
}
