// The order in which a caller asks the regions: the nearest first, by great circle. The prior that measured round trips may replace later.
import { type Coordinates, distanceKm, type Region } from '../../shared/regions.ts';

/** Regions at the same distance, and all regions for a caller at an unknown place, stay in the configured order. */
export function orderRegions(regions: readonly Region[], caller: Coordinates | undefined): readonly Region[] {
  if (caller === undefined) return regions;
  return regions
    .map((region) => ({ region, km: distanceKm(caller, region) }))
    .sort((a, b) => a.km - b.km)
    .map(({ region }) => region);
}
