// What a region takes to answer, as it is seen from here: expected from coordinates at first, from measurement as it comes. A mean that is
// not confirmed any more fades back to what was expected, so that a region that was slow once is tried again. The order in which regions are
// asked follows from it, and changes only for a clear gain: two regions that are about as far do not change places with every answer.
//
// Measured is from before a call to after its answer, which is I/O: worker clocks stand still between the two ends of computing.

import { expectedRoundTripMs } from '../../shared/domain/distance-prior.ts';
import { type Coordinates, estimateRoundTripMs, type Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { createLatencyHistogram, type LatencyHistogram } from '../../shared/runtime/latency-histogram.ts';

/** Where a request is from. */
export interface Place {
  /** What was measured holds for one of these: an isolate is in one data centre, and only the local cloud has callers who name others. */
  readonly name: string;
  /** Undefined when nothing says where it is. */
  readonly coordinates: Coordinates | undefined;
}

/** Where nothing is known of the place. */
export const NOWHERE: Place = { name: 'here', coordinates: undefined };

export interface Expectation {
  readonly ms: number;
  /** Whether measurement is in it. */
  readonly isMeasured: boolean;
}

export interface RoundTrips {
  /** A region answered after `ms`. */
  observe(region: string, place: string, ms: number): void;
  expect(region: Region, place: Place): Expectation;
  /** All regions, the one that is expected to answer first at the front; at an unknown place and unmeasured as configured. */
  order(place: Place): readonly Region[];
  /** The latency that the given share (0 to 1) of answers stays within; undefined before enough were seen. */
  quantile(region: string, place: string, share: number): number | undefined;
}

interface RoundTripsOptions {
  readonly regions: readonly Region[];
  readonly clock: Clock;
}

/** How much the newest answer counts: about the last twenty make the mean. */
const SMOOTHING = 0.1;
/** An answer that took ages counts as this many times the mean at most: it is what outlier detection is for. */
const MAX_RATIO = 5;
/** Fewer answers are chance. */
const MIN_SAMPLES = 10;
/** A mean that was not confirmed for this long counts half. */
const HALF_LIFE_MS = 60_000;
/** A region goes before another only when it is expected to be faster by this part, and by this much. */
const GAIN = { share: 0.2, ms: 5 };
/** Places that are kept apart: the local cloud knows twenty. */
const MAX_PLACES = 64;
/** From a place that nobody knows: a quarter of the way round the Earth, the mean distance of two places on it. */
const UNKNOWN_WAY_MS = estimateRoundTripMs(10_000);

interface Measured {
  meanMs: number;
  samples: number;
  atMs: number;
  readonly histogram: LatencyHistogram;
}

interface Seen {
  readonly byRegion: Map<string, Measured>;
  order: readonly Region[];
}

export function createRoundTrips({ regions, clock }: RoundTripsOptions): RoundTrips {
  const places = new Map<string, Seen>();

  function seenAt(name: string): Seen {
    let seen = places.get(name);
    if (seen === undefined) {
      if (places.size >= MAX_PLACES) places.delete(places.keys().next().value as string);
      seen = { byRegion: new Map(), order: [] };
      places.set(name, seen);
    }
    return seen;
  }

  const priorMs = (region: Region, { coordinates }: Place): number =>
    coordinates === undefined ? UNKNOWN_WAY_MS : expectedRoundTripMs(region, coordinates);

  /** How much of the mean still counts, 0 to 1. */
  const weightOf = (measured: Measured | undefined): number =>
    measured === undefined || measured.samples < MIN_SAMPLES ? 0 : 2 ** -((clock.now() - measured.atMs) / HALF_LIFE_MS);

  /** What answers take beyond the way, from the region where that is least: what is not measured yet must be comparable with what is. */
  function overheadMs(place: Place, { byRegion }: Seen): number {
    const overheads = regions.flatMap((region) => {
      const measured = byRegion.get(region.name);
      return measured === undefined || weightOf(measured) < 0.5 ? [] : [measured.meanMs - priorMs(region, place)];
    });
    return overheads.length === 0 ? 0 : Math.max(0, Math.min(...overheads));
  }

  function expect(region: Region, place: Place): Expectation {
    const seen = seenAt(place.name);
    const measured = seen.byRegion.get(region.name);
    const weight = weightOf(measured);
    const expectedMs = priorMs(region, place) + overheadMs(place, seen);
    if (measured === undefined || weight === 0) return { ms: expectedMs, isMeasured: false };
    return { ms: weight * measured.meanMs + (1 - weight) * expectedMs, isMeasured: true };
  }

  function order(place: Place): readonly Region[] {
    const seen = seenAt(place.name);
    const expected = new Map(regions.map((region) => [region, expect(region, place).ms]));
    const msOf = (region: Region): number => expected.get(region) as number;
    if (seen.order.length === 0 || seen.byRegion.size === 0) {
      seen.order = [...regions].sort((a, b) => msOf(a) - msOf(b));
      return seen.order;
    }
    // One that is clearly faster moves up past those before it, the others stay where they are.
    const next = [...seen.order];
    for (let i = 1; i < next.length; i++) {
      for (let j = i; j > 0 && isClearlyFaster(msOf(next[j] as Region), msOf(next[j - 1] as Region)); j--)
        [next[j - 1], next[j]] = [next[j] as Region, next[j - 1] as Region];
    }
    seen.order = next;
    return next;
  }

  return {
    observe: (region, place, ms) => {
      const { byRegion } = seenAt(place);
      const nowMs = clock.now();
      const measured = byRegion.get(region);
      if (measured === undefined) {
        const histogram = createLatencyHistogram();
        histogram.observe(ms);
        byRegion.set(region, { meanMs: ms, samples: 1, atMs: nowMs, histogram });
        return;
      }
      measured.histogram.observe(ms);
      measured.samples++;
      measured.atMs = nowMs;
      const smoothing = Math.max(SMOOTHING, 1 / measured.samples);
      measured.meanMs += smoothing * (Math.min(ms, MAX_RATIO * Math.max(1, measured.meanMs)) - measured.meanMs);
    },
    expect,
    order,
    quantile: (region, place, share) => places.get(place)?.byRegion.get(region)?.histogram.quantile(share),
  };
}

const isClearlyFaster = (ms: number, thanMs: number): boolean =>
  ms < thanMs * (1 - GAIN.share) && ms < thanMs - GAIN.ms;
