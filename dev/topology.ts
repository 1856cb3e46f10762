// Constants of the local cloud: names, locations and ports. The regions are at the places of Google Cloud's regions:
// Singapore, Belgium, Iowa.
import type { Coordinates, Region } from '../shared/domain/regions.ts';

export const LOCAL_PROJECT = 'earshot-local';
export const LOCAL_INSTANCE = 'recommendations';

export interface Ports {
  readonly edge: number;
  /** The first of three consecutive ports: asia, europe, us. */
  readonly origins: number;
  readonly bigtable: number;
}

export const DEFAULT_PORTS: Ports = { edge: 8787, origins: 8081, bigtable: 8086 };

type Place = Omit<Region, 'origin'>;

const places: readonly Place[] = [
  { name: 'asia', locationHint: 'apac', latitude: 1.35, longitude: 103.82 },
  { name: 'europe', locationHint: 'weur', latitude: 50.45, longitude: 3.82 },
  { name: 'us', locationHint: 'enam', latitude: 41.26, longitude: -95.86 },
];

/** The three regions with their origins on `firstPort` and the next two ports. */
export const makeRegions = (firstPort: number): Region[] =>
  places.map((place, i) => ({ ...place, origin: `http://127.0.0.1:${firstPort + i}` }));

/** Cluster id by region. The embedded Bigtable names its clusters after the regions. */
export const LOCAL_CLUSTERS: Readonly<Record<string, string>> = Object.fromEntries(
  places.map(({ name }) => [name, name]),
);

/** Location of a caller without Earshot-Dev-Location. Wrangler also places this machine in Texas. */
export const DEFAULT_DEV_LOCATION = 'DFW';

/** Offset from a region proxy's port to its origin's port, and from Bigtable's port to its control port. */
export const BEHIND_PORT_OFFSET = 10;

/** Offset from a region proxy's port to the port of its origin's metrics. */
export const METRICS_PORT_OFFSET = 20;

/** Locations that a caller can name, by the airport code of the data centre. */
export const DEV_LOCATIONS: Readonly<Record<string, Coordinates>> = {
  AMS: { latitude: 52.31, longitude: 4.76 },
  BOM: { latitude: 19.09, longitude: 72.87 },
  CDG: { latitude: 49.01, longitude: 2.55 },
  DFW: { latitude: 32.9, longitude: -97.04 },
  DXB: { latitude: 25.25, longitude: 55.36 },
  EZE: { latitude: -34.82, longitude: -58.54 },
  FRA: { latitude: 50.03, longitude: 8.57 },
  GRU: { latitude: -23.44, longitude: -46.47 },
  HKG: { latitude: 22.31, longitude: 113.91 },
  IAD: { latitude: 38.94, longitude: -77.46 },
  ICN: { latitude: 37.47, longitude: 126.45 },
  JNB: { latitude: -26.14, longitude: 28.25 },
  LAX: { latitude: 33.94, longitude: -118.41 },
  LHR: { latitude: 51.47, longitude: -0.45 },
  LOS: { latitude: 6.58, longitude: 3.32 },
  NRT: { latitude: 35.76, longitude: 140.39 },
  ORD: { latitude: 41.98, longitude: -87.9 },
  SFO: { latitude: 37.62, longitude: -122.38 },
  SIN: { latitude: 1.36, longitude: 103.99 },
  SYD: { latitude: -33.95, longitude: 151.18 },
};
