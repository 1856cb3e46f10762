// Prior of the round trip between two places, from coordinates alone: the great circle, except where cables cannot
// follow it. Traffic between Europe and the Indian Ocean passes Suez and the Red Sea. Atlantic Africa is reached
// through Lisbon, South America through Miami, and the Americas reach East Asia over the Pacific. The prior tells which
// region is nearer, not how far. Source: TeleGeography, submarinecablemap.com. distance-prior.test.ts compares it with
// measured round trips.
import { type Coordinates, distanceKm, estimateRoundTripMs } from './regions.ts';

type Area = 'northAmerica' | 'southAmerica' | 'europe' | 'atlanticAfrica' | 'indianOcean' | 'eastAsia';

const MIAMI: Coordinates = { latitude: 25.76, longitude: -80.19 };
const LISBON: Coordinates = { latitude: 38.72, longitude: -9.14 };
const DAKAR: Coordinates = { latitude: 14.69, longitude: -17.45 };
const SUEZ: Coordinates = { latitude: 29.97, longitude: 32.55 };
const BAB_EL_MANDEB: Coordinates = { latitude: 12.58, longitude: 43.33 };

/** Milliseconds, the same in both directions. */
export function expectedRoundTripMs(region: Coordinates, caller: Coordinates): number {
  const path = [caller, ...waypointsBetween(areaOf(caller), areaOf(region)), region];
  let km = 0;
  for (let i = 1; i < path.length; i++) km += distanceKm(path[i - 1] as Coordinates, path[i] as Coordinates);
  return estimateRoundTripMs(km);
}

/** Coarse boxes. Traffic reaches North Africa, Western and Central Asia and Siberia over land and the Mediterranean. */
function areaOf({ latitude, longitude }: Coordinates): Area {
  if (longitude < -30) return latitude < 13 && longitude > -82 ? 'southAmerica' : 'northAmerica';
  const isEastAfrica = longitude >= 28 && latitude > -12;
  if (latitude < 16 && longitude < 52 && !isEastAfrica) return 'atlanticAfrica';
  if (longitude >= 92) return latitude < 50 ? 'eastAsia' : 'europe';
  const isArabia = longitude >= 43 && latitude < 31;
  const isSouthAsia = longitude >= 60 && latitude < 37;
  return latitude < 16 || isArabia || isSouthAsia ? 'indianOcean' : 'europe';
}

/** The only route out of an area. */
const EXITS: Readonly<Partial<Record<Area, readonly Coordinates[]>>> = {
  southAmerica: [MIAMI],
  atlanticAfrica: [DAKAR, LISBON],
};

const isBehindSuez = (area: Area): boolean => area === 'indianOcean' || area === 'eastAsia';
const isAmerican = (area: Area): boolean => area === 'northAmerica' || area === 'southAmerica';

function waypointsBetween(from: Area, to: Area): readonly Coordinates[] {
  if (from === to) return [];
  return [...(EXITS[from] ?? []), ...passageBetween(from, to), ...(EXITS[to]?.toReversed() ?? [])];
}

function passageBetween(from: Area, to: Area): readonly Coordinates[] {
  if (isBehindSuez(from) === isBehindSuez(to)) return [];
  const isOverThePacific = (from === 'eastAsia' && isAmerican(to)) || (to === 'eastAsia' && isAmerican(from));
  if (isOverThePacific) return [];
  return isBehindSuez(to) ? [SUEZ, BAB_EL_MANDEB] : [BAB_EL_MANDEB, SUEZ];
}
