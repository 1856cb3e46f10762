// The regions with an origin and a Bigtable cluster, and their distance from a caller.
import { z } from 'zod';
import { NAME_GRAMMAR, NAME_PATTERN } from './ids.ts';

/** Cloudflare's location hints for Durable Objects. */
const LOCATION_HINTS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const;

export const regionsSchema = z
  .array(
    z.strictObject({
      name: z.string().regex(NAME_PATTERN, `expected ${NAME_GRAMMAR}`),
      /** Base URL of the origin, without a path. */
      origin: z.url({ protocol: /^https?$/ }),
      locationHint: z.enum(LOCATION_HINTS),
      /** Part of the names of the region's objects: another number makes new ones, at the hint. Default: none. */
      objectEpoch: z.int().min(1).max(1_000_000).optional(),
      latitude: z.number().min(-90).max(90),
      longitude: z.number().min(-180).max(180),
    }),
  )
  .min(1)
  .refine((all) => new Set(all.map((region) => region.name)).size === all.length, 'expected region names to differ');

export type Region = z.infer<typeof regionsSchema>[number];

export interface Coordinates {
  /** Degrees, -90 to 90. */
  readonly latitude: number;
  /** Degrees, -180 to 180. */
  readonly longitude: number;
}

/** Names the caller's place by the code of a data centre. Only the local cloud accepts it. */
export const DEV_LOCATION_HEADER = 'Earshot-Dev-Location';

const EARTH_RADIUS_KM = 6371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Great-circle distance in km (haversine). */
export function distanceKm(a: Coordinates, b: Coordinates): number {
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

const FIXED_MS = 5;
const MS_PER_KM = 0.015;

/** Usual round trip over `km`. Light in fibre needs 0.01 ms per km both ways, and cables do not run straight. */
export const estimateRoundTripMs = (km: number): number => FIXED_MS + MS_PER_KM * km;
