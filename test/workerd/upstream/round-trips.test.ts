// The expected latency of a region and the resulting order.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { NOWHERE, type Place } from '../../../edge/request/place.ts';
import { createRoundTrips } from '../../../edge/upstream/round-trips.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { TEST_REGIONS } from '../support/harness.ts';

const regions = TEST_REGIONS as readonly Region[];
const [asia, europe, us] = regions as [Region, Region, Region];
const TOKYO: Place = { ...NOWHERE, coordinates: { latitude: 35.68, longitude: 139.76 } };
const BERLIN: Place = { ...NOWHERE, coordinates: { latitude: 52.52, longitude: 13.4 } };
const names = (order: readonly Region[]): string[] => order.map(({ name }) => name);

function setUp() {
  const clock = createManualClock();
  const trips = createRoundTrips({ regions, clock });
  const observe = (region: Region, ms: number, times = 30): void => {
    for (let i = 0; i < times; i++) trips.observe(region.name, NOWHERE.name, ms);
  };
  return { clock, trips, observe };
}

describe('the order of regions', () => {
  test('is by coordinates as long as nothing is measured, and as configured where nothing is known of the place', () => {
    const { trips } = setUp();
    expect(names(trips.order(TOKYO))).toEqual(['asia', 'us', 'europe']);
    expect(names(createRoundTrips({ regions, clock: createManualClock() }).order(NOWHERE))).toEqual([
      'asia',
      'europe',
      'us',
    ]);
  });

  test('keeps the configured order among regions at one distance', () => {
    const here = { latitude: 1, longitude: 1, locationHint: 'me' as const };
    const same = ['x', 'y', 'z'].map((name) => ({ ...here, name, origin: `https://${name}.test` }));
    const trips = createRoundTrips({ regions: same, clock: createManualClock() });
    expect(names(trips.order(BERLIN))).toEqual(['x', 'y', 'z']);
  });

  test('follows what was measured, when that is clearly faster', () => {
    const { trips, observe } = setUp();
    expect(names(trips.order(BERLIN))).toEqual(['europe', 'us', 'asia']);
    observe(europe, 200);
    observe(us, 120);
    expect(names(trips.order(BERLIN))).toEqual(['us', 'europe', 'asia']);
  });

  test('does not swap regions at about the same distance, however their means vary', () => {
    const { trips, observe } = setUp();
    observe(europe, 100);
    observe(us, 100);
    expect(names(trips.order(BERLIN)).slice(0, 2)).toEqual(['europe', 'us']);
    for (let i = 0; i < 20; i++) {
      observe(europe, i % 2 === 0 ? 112 : 100, 10);
      observe(us, i % 2 === 0 ? 100 : 112, 10);
      expect(names(trips.order(BERLIN)).slice(0, 2)).toEqual(['europe', 'us']);
    }
  });

  test('is not changed by one answer that took ages, nor by fewer than ten', () => {
    const { trips, observe } = setUp();
    observe(europe, 20);
    observe(europe, 30_000, 1);
    expect(names(trips.order(BERLIN))[0]).toBe('europe');
    const { trips: fresh, observe: see } = setUp();
    see(europe, 2_000, 9);
    expect(names(fresh.order(BERLIN))[0]).toBe('europe');
  });

  test('comes back to a region that was slow, when nothing was heard of it for a while', () => {
    const { clock, trips, observe } = setUp();
    observe(europe, 400);
    observe(us, 110);
    expect(names(trips.order(BERLIN))[0]).toBe('us');
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000);
      observe(us, 110, 10);
    }
    expect(names(trips.order(BERLIN))[0]).toBe('europe');
  });
});

describe('the expected latency of a region', () => {
  test('is the measured one, and belongs to the place of the measurement', () => {
    const { trips } = setUp();
    for (let i = 0; i < 20; i++) trips.observe('asia', 'NRT', 42);
    expect(trips.expect(asia, { ...TOKYO, name: 'NRT' })).toEqual({ ms: 42, isMeasured: true });
    expect(trips.expect(asia, { ...TOKYO, name: 'FRA' }).isMeasured).toBe(false);
  });

  test("includes, for an unmeasured region, the other regions' time beyond the round trip", () => {
    const { trips, observe } = setUp();
    const before = trips.expect(us, BERLIN).ms;
    observe(europe, trips.expect(europe, BERLIN).ms + 30);
    expect(trips.expect(us, BERLIN).ms - before).toBeCloseTo(30, 5);
  });

  test('has quantiles once a hundred answers were seen', () => {
    const { trips, observe } = setUp();
    observe(asia, 20, 99);
    expect(trips.quantile('asia', NOWHERE.name, 0.95)).toBeUndefined();
    observe(asia, 20, 1);
    expect(trips.quantile('asia', NOWHERE.name, 0.95)).toBeCloseTo(20, -1);
  });
});
