// Back-off of regions that shed reads (Retry-After). Hedges and failovers pass them over; a first attempt does not.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

export interface RegionBackoff {
  start(region: Region, ms?: number): void;
  isBackingOff(region: Region): boolean;
}

/** Back-off in milliseconds if the region names none. */
const DEFAULT_MS = 1_000;
const MAX_MS = 30_000;

export function createRegionBackoff(clock: Clock): RegionBackoff {
  const untilMs = new Map<string, number>();
  return {
    start: ({ name }, ms = DEFAULT_MS) => {
      const endMs = clock.now() + Math.min(MAX_MS, ms);
      untilMs.set(name, Math.max(endMs, untilMs.get(name) ?? 0));
    },
    isBackingOff: ({ name }) => clock.now() < (untilMs.get(name) ?? 0),
  };
}
