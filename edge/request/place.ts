// The caller's place: the connection's coordinates from Cloudflare or, in the local cloud only, the data centre that
// the caller names.
import { type Coordinates, DEV_LOCATION_HEADER, distanceKm, type Region } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

export interface Place {
  /**
   * Measured round trips are kept per name. An isolate is in one data centre; only the local cloud has callers with
   * other names.
   */
  readonly name: string;
  /** Undefined if the platform does not know them. */
  readonly coordinates: Coordinates | undefined;
}

/** A place without coordinates. */
export const NOWHERE: Place = { name: 'here', coordinates: undefined };

type DevLocations = Readonly<Record<string, Coordinates>> | undefined;

/**
 * The place of the caller of `request`. Throws `invalid_request` for a named location that is not allowed or not known.
 */
export function placeOf(request: Request, devLocations: DevLocations): Place {
  const code = request.headers.get(DEV_LOCATION_HEADER);
  // Round trips are measured from the isolate's data centre, wherever its callers are.
  if (code === null) return { ...NOWHERE, coordinates: coordinatesOf(request.cf) };
  return { name: code, coordinates: devCoordinatesOf(code, devLocations) };
}

/**
 * Name of the region nearest to `place`, by coordinates alone: the health of a region moves no user between
 * generations. Undefined without coordinates.
 */
export function nearestRegionTo({ coordinates }: Place, regions: readonly Region[]): string | undefined {
  if (coordinates === undefined) return undefined;
  let nearest: Region | undefined;
  for (const region of regions) {
    if (nearest === undefined || distanceKm(region, coordinates) < distanceKm(nearest, coordinates)) nearest = region;
  }
  return nearest?.name;
}

/** ISO 3166-1 alpha-2. Undefined if the platform does not know the caller's country, or for Tor. */
export function countryOf({ cf }: Request): string | undefined {
  const country = cf?.country;
  return typeof country === 'string' && /^[A-Z]{2}$/.test(country) && country !== 'XX' ? country : undefined;
}

function devCoordinatesOf(code: string, devLocations: DevLocations): Coordinates {
  const refuse = (message: string) => new EarshotError('invalid_request', 'edge', message);
  if (devLocations === undefined) throw refuse(`${DEV_LOCATION_HEADER} is refused outside the local cloud`);
  const coordinates = Object.hasOwn(devLocations, code) ? devLocations[code] : undefined;
  if (coordinates !== undefined) return coordinates;
  const known = Object.keys(devLocations).sort().join(', ');
  throw refuse(`expected ${DEV_LOCATION_HEADER} to be one of ${known}, got ${JSON.stringify(code.slice(0, 40))}`);
}

function coordinatesOf(cf: Request['cf']): Coordinates | undefined {
  const latitude = toNumber(cf?.latitude);
  const longitude = toNumber(cf?.longitude);
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

/** Cloudflare sends coordinates as text, and omits them for some networks. */
const toNumber = (value: unknown): number =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
