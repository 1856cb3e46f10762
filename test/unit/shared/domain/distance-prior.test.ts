// The nearest region by coordinates against measured latencies: from 340 data centres to cloud regions.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeRegions } from '../../../../dev/topology.ts';
import { expectedRoundTripMs } from '../../../../shared/domain/distance-prior.ts';
import { type Coordinates, distanceKm, estimateRoundTripMs } from '../../../../shared/domain/regions.ts';
import { describeWithRealData, realData } from '../../../support/real-data.ts';

const at = (latitude: number, longitude: number): Coordinates => ({ latitude, longitude });
const brussels = at(50.85, 4.35);
const dubai = at(25.27, 55.31);
const lisbon = at(38.72, -9.14);
const london = at(51.51, -0.13);
const miami = at(25.76, -80.19);
const mumbai = at(19.08, 72.88);
const saoPaulo = at(-23.55, -46.63);
const singapore = at(1.35, 103.82);
const tokyo = at(35.68, 139.77);
const capeTown = at(-33.93, 18.42);
const losAngeles = at(34.05, -118.24);

describe('an expected round trip', () => {
  const straight = (a: Coordinates, b: Coordinates): number => estimateRoundTripMs(distanceKm(a, b));

  test('is that of the great circle where cables can follow it', () => {
    for (const [a, b] of [
      [brussels, london],
      [brussels, miami],
      [mumbai, singapore],
      [dubai, singapore],
      [tokyo, losAngeles],
    ] as const)
      expect(expectedRoundTripMs(a, b)).toBe(straight(a, b));
  });

  test('is longer where they cannot: by Suez and the Red Sea, by Lisbon and by Miami', () => {
    for (const [a, b] of [
      [dubai, brussels],
      [mumbai, brussels],
      [mumbai, miami],
      [tokyo, london],
    ] as const)
      expect(expectedRoundTripMs(a, b)).toBeGreaterThan(straight(a, b) + 20);
    expect(expectedRoundTripMs(capeTown, singapore)).toBeGreaterThan(expectedRoundTripMs(lisbon, singapore) + 100);
    expect(expectedRoundTripMs(saoPaulo, tokyo)).toBeGreaterThan(expectedRoundTripMs(miami, tokyo) + 50);
  });

  test('is the same both ways', () => {
    const places = [brussels, dubai, miami, mumbai, saoPaulo, singapore, tokyo, capeTown];
    for (const a of places)
      for (const b of places) expect(expectedRoundTripMs(a, b)).toBeCloseTo(expectedRoundTripMs(b, a), 9);
  });
});

const COLOS = 'geo/cloudflare-colos.json';
const GCP_REGIONS = 'geo/gcp_regions.csv';
const ROUND_TRIPS = 'latency/cloud-to-gcp-rtt-ms.csv';

/** Coordinates of AWS and Azure regions; the data has Google's. */
const OTHER_CLOUDS: Readonly<Record<string, Coordinates>> = {
  'aws:af-south-1': capeTown,
  'aws:ap-east-1': at(22.29, 114.16),
  'aws:ap-northeast-1': at(35.62, 139.75),
  'aws:ap-northeast-2': at(37.56, 126.98),
  'aws:ap-northeast-3': at(34.69, 135.49),
  'aws:ap-south-1': mumbai,
  'aws:ap-southeast-1': at(1.29, 103.85),
  'aws:ap-southeast-2': at(-33.91, 151.19),
  'aws:ap-southeast-3': at(-6.21, 106.85),
  'aws:ca-central-1': at(45.5, -73.6),
  'aws:eu-central-1': at(50.11, 8.68),
  'aws:eu-north-1': at(59.33, 17.84),
  'aws:eu-south-1': at(45.46, 9.19),
  'aws:eu-west-1': at(53.41, -6.22),
  'aws:eu-west-2': london,
  'aws:me-south-1': at(26.07, 50.56),
  'aws:sa-east-1': saoPaulo,
  'aws:us-east-1': at(38.94, -77.45),
  'aws:us-east-2': at(39.96, -83),
  'aws:us-west-1': at(37.35, -121.96),
  'aws:us-west-2': at(45.84, -119.7),
  'azure:australiaeast': at(-33.86, 151.21),
  'azure:brazilsouth': saoPaulo,
  'azure:canadacentral': at(43.65, -79.38),
  'azure:centralindia': at(18.58, 73.92),
  'azure:eastasia': at(22.27, 114.19),
  'azure:eastus': at(37.37, -79.82),
  'azure:francecentral': at(48.86, 2.35),
  'azure:germanywestcentral': at(50.11, 8.68),
  'azure:japaneast': tokyo,
  'azure:koreacentral': at(37.57, 126.98),
  'azure:northcentralus': at(41.88, -87.63),
  'azure:northeurope': at(53.35, -6.26),
  'azure:norwayeast': at(59.91, 10.75),
  'azure:southafricanorth': at(-25.73, 28.22),
  'azure:swedencentral': at(60.67, 17.14),
  'azure:switzerlandnorth': at(47.45, 8.56),
  'azure:uaenorth': dubai,
  'azure:uksouth': at(50.94, -0.8),
  'azure:westeurope': at(52.37, 4.9),
  'azure:westus': at(37.78, -122.42),
  'azure:westus3': at(33.45, -112.07),
};

/**
 * A data centre counts as being at its neighbour's place. Their distance is 3 ms in fibre, less than between regions of
 * different continents.
 */
const NEIGHBOUR_KM = 300;
/** Round trip of light in fibre. */
const FIBRE_MS_PER_KM = 0.00979;
/** Error of published coordinates. */
const COORDINATES_KM = 100;

interface Measured {
  readonly place: Coordinates;
  /** By region, in milliseconds. */
  readonly roundTripsMs: ReadonlyMap<string, number>;
}

const readRows = (path: string): string[][] =>
  readFileSync(realData(path), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

function readGcpRegions(): ReadonlyMap<string, Coordinates> {
  return new Map(readRows(GCP_REGIONS).map(([name = '', lat, lon]) => [name, at(Number(lat), Number(lon))]));
}

/**
 * Without impossible values: 69 of 1 863 values, all between two of Google's regions, are below the time of light in
 * fibre.
 */
function readMeasured(gcp: ReadonlyMap<string, Coordinates>): readonly Measured[] {
  const sources = new Map<string, { place: Coordinates; roundTripsMs: Map<string, number> }>();
  for (const [from = '', to = '', minMs] of readRows(ROUND_TRIPS)) {
    const source = from.startsWith('gcp:') ? from.slice(4, -2) : from;
    const place = gcp.get(source) ?? OTHER_CLOUDS[source];
    const region = to.slice(4, -2);
    const target = gcp.get(region);
    if (place === undefined || target === undefined) throw new Error(`expected coordinates of ${from} and ${to}`);
    const known = sources.get(source) ?? { place, roundTripsMs: new Map<string, number>() };
    sources.set(source, known);
    const ms = Number(minMs);
    if (ms < FIBRE_MS_PER_KM * (distanceKm(place, target) - COORDINATES_KM)) continue;
    known.roundTripsMs.set(region, Math.min(ms, known.roundTripsMs.get(region) ?? ms));
  }
  return [...sources.values()];
}

interface Colo {
  readonly iata: string;
  readonly lat: number;
  readonly lon: number;
}

interface Choice {
  readonly colo: string;
  readonly chosen: string;
  readonly fastest: string;
  /** Excess of the chosen region's measured latency over the fastest. */
  readonly lostMs: number;
}

const tellMiss = ({ colo, chosen, fastest, lostMs }: Choice): string =>
  `${colo}: ${chosen} instead of ${fastest}, ${lostMs.toFixed(1)} ms slower`;

type Expect = (region: Coordinates, caller: Coordinates) => number;

describeWithRealData('the nearest region by coordinates, from 340 data centres', ROUND_TRIPS, () => {
  const load = () => {
    const gcp = readGcpRegions();
    const measured = readMeasured(gcp);
    const colos = JSON.parse(readFileSync(realData(COLOS), 'utf8')) as Colo[];
    const places = colos.map(({ iata, lat, lon }) => {
      const place = at(lat, lon);
      const byDistance = measured
        .map((each) => ({ ...each, km: distanceKm(place, each.place) }))
        .filter(({ km }) => km <= NEIGHBOUR_KM)
        .sort((a, b) => a.km - b.km);
      return { iata, place, byDistance };
    });
    return { gcp, measured, places };
  };
  type Data = ReturnType<typeof load>;

  /** Data centres with a neighbour that has measurements of all `regions`. */
  function chooseAll({ places }: Data, regions: ReadonlyMap<string, Coordinates>, expectMs: Expect): Choice[] {
    const names = [...regions.keys()];
    const choices: Choice[] = [];
    for (const { iata, place, byDistance } of places) {
      const ms = byDistance.find(({ roundTripsMs }) => names.every((name) => roundTripsMs.has(name)))?.roundTripsMs;
      if (ms === undefined) continue;
      const least = (cost: (name: string) => number) => names.reduce((a, b) => (cost(b) < cost(a) ? b : a));
      const chosen = least((name) => expectMs(regions.get(name) as Coordinates, place));
      const fastest = least((name) => ms.get(name) as number);
      choices.push({ colo: iata, chosen, fastest, lostMs: (ms.get(chosen) ?? 0) - (ms.get(fastest) ?? 0) });
    }
    return choices;
  }

  const shareOf = (choices: readonly Choice[], holds: (choice: Choice) => boolean): number =>
    choices.filter(holds).length / choices.length;
  const isFastest = ({ chosen, fastest }: Choice): boolean => chosen === fastest;
  const isNearlyFastest = ({ lostMs }: Choice): boolean => lostMs <= 20;
  const byGreatCircle: Expect = (region, caller) => estimateRoundTripMs(distanceKm(region, caller));

  test("is the fastest of Earshot's regions for 95 of 100, and within 20 ms of it for 99", () => {
    const stands: Record<string, string> = { asia: 'asia-southeast1', europe: 'europe-west1', us: 'us-central1' };
    const regions = new Map(makeRegions(1).map((region) => [stands[region.name] ?? '', region]));
    const choices = chooseAll(load(), regions, expectedRoundTripMs);
    const misses = choices.filter((choice) => !isFastest(choice));
    console.log(
      [
        `the fastest for ${choices.length - misses.length} of ${choices.length} data centres with a measured neighbour; misses: ${misses.length}`,
        ...misses.map((miss) => `  ${tellMiss(miss)}`),
      ].join('\n'),
    );
    expect(choices.length).toBeGreaterThan(75);
    expect(shareOf(choices, isFastest)).toBeGreaterThanOrEqual(0.95);
    expect(shareOf(choices, isNearlyFastest)).toBeGreaterThanOrEqual(0.99);
  });

  test('is the fastest of any other three regions for at least 85 of 100 and within 20 ms for 95, more than by great circle', () => {
    const data = load();
    const names = [...new Set(data.measured.flatMap(({ roundTripsMs }) => [...roundTripsMs.keys()]))].sort();
    const all: Choice[] = [];
    const straight: Choice[] = [];
    for (const [i, a] of names.entries())
      for (const [j, b] of names.entries())
        for (const [k, c] of names.entries()) {
          // A seventh of the 2 925 sets, evenly spread.
          if (!(i < j && j < k) || (i + 3 * j + 5 * k) % 7 !== 0) continue;
          const regions = new Map([a, b, c].map((name) => [name, data.gcp.get(name) as Coordinates]));
          all.push(...chooseAll(data, regions, expectedRoundTripMs));
          straight.push(...chooseAll(data, regions, byGreatCircle));
        }
    expect(shareOf(all, isFastest)).toBeGreaterThanOrEqual(0.85);
    expect(shareOf(all, isNearlyFastest)).toBeGreaterThanOrEqual(0.95);
    expect(shareOf(all, isNearlyFastest)).toBeGreaterThan(shareOf(straight, isNearlyFastest) + 0.03);
  });
});
