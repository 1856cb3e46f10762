// How long a list stays in the memory of an object, by Little's law: lists in memory over lists stored per millisecond.
// A ramp of that length makes lists leave and enter no faster than they do anyway. Source: J. D. C. Little, 1961, "A
// Proof for the Queuing Formula L = lambda W".
import type { Clock } from '../../shared/runtime/clock.ts';

export interface Residence {
  /** A list was stored. */
  recordStore(): void;
  /** Milliseconds; undefined before the first list. An object that still fills its memory tells its own age. */
  ms(entries: number): number | undefined;
}

/** Stores from before this long count half. */
const HALF_LIFE_MS = 600_000;

export function createResidence(clock: Clock): Residence {
  let stores = 0;
  let observedMs = 0;
  let atMs = clock.now();

  function decay(): void {
    const elapsedMs = Math.max(0, clock.now() - atMs);
    atMs += elapsedMs;
    const kept = 0.5 ** (elapsedMs / HALF_LIFE_MS);
    stores *= kept;
    observedMs = observedMs * kept + elapsedMs;
  }

  return {
    recordStore: () => {
      decay();
      stores++;
    },
    ms: (entries) => {
      decay();
      return stores === 0 || entries === 0 ? undefined : Math.round((entries * observedMs) / stores);
    },
  };
}
