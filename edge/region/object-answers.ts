// The fastest answer of each region object that needed no origin: the way to the object and back. The platform places
// an object once, at the hint of its first caller, so an object at another place stays there.
import { distanceKm, type Region } from '../../shared/domain/regions.ts';
import type { ObjectStatus } from '../../shared/wire/edge-status.ts';
import type { Place } from '../request/place.ts';

export interface ObjectAnswers {
  observe(object: string, region: Region, ms: number): void;
  /** By name, with the distance from `place` to the region of each. */
  status(place: Place): ObjectStatus[];
}

export function createObjectAnswers(): ObjectAnswers {
  const fastest = new Map<string, { readonly region: Region; readonly ms: number }>();
  return {
    observe: (object, region, ms) => {
      if (ms < (fastest.get(object)?.ms ?? Number.POSITIVE_INFINITY)) fastest.set(object, { region, ms });
    },
    status: ({ coordinates }) =>
      [...fastest]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([object, { region, ms }]) => ({
          object,
          region: region.name,
          fastestMs: ms,
          ...(coordinates === undefined ? {} : { km: Math.round(distanceKm(region, coordinates)) }),
        })),
  };
}
