// Where the caller is: what Cloudflare says of the connection, or, in the local cloud only, the data centre that the caller names.

import { type Coordinates, DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { NOWHERE, type Place } from '../upstream/round-trips.ts';

/** Without coordinates when nothing says where the caller is. Throws `invalid_request` for a place that may not, or cannot, be named. */
export function placeOf(request: Request, devLocations: Readonly<Record<string, Coordinates>> | undefined): Place {
  const code = request.headers.get(DEV_LOCATION_HEADER);
  // What is measured is the way from the data centre that the isolate is in, wherever its callers are.
  if (code === null) return { ...NOWHERE, coordinates: coordinatesOf(request.cf) };
  return { name: code, coordinates: devPlaceOf(code, devLocations) };
}

function devPlaceOf(code: string, devLocations: Readonly<Record<string, Coordinates>> | undefined): Coordinates {
  const refuse = (message: string) => new EarshotError('invalid_request', 'edge', message);
  if (devLocations === undefined) throw refuse(`${DEV_LOCATION_HEADER} is refused outside the local cloud`);
  const place = Object.hasOwn(devLocations, code) ? devLocations[code] : undefined;
  if (place !== undefined) return place;
  const known = Object.keys(devLocations).sort().join(', ');
  throw refuse(`expected ${DEV_LOCATION_HEADER} to be one of ${known}, got ${JSON.stringify(code.slice(0, 40))}`);
}

function coordinatesOf(cf: Request['cf']): Coordinates | undefined {
  const latitude = toNumber(cf?.latitude);
  const longitude = toNumber(cf?.longitude);
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

/** Cloudflare gives coordinates as text, and none at all for some networks. */
const toNumber = (value: unknown): number =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
