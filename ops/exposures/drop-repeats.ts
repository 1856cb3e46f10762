// Each exposure once. Memory is bounded by the ids of 26 hours.
import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import { HOUR_MS, TOKEN_HOURS } from '../../shared/domain/experiments/exposure.ts';

/** The worker takes a token for less than TOKEN_HOURS and one hour, and one that another clock made an hour early. */
const KEPT_HOURS = TOKEN_HOURS + 1;

/** `exposures` are in the order of the hours of their reports, and in no order within an hour. */
export async function* dropRepeats(exposures: AsyncIterable<ArchivedExposure>): AsyncGenerator<ArchivedExposure> {
  const idsByHour = new Map<number, Set<string>>();
  for await (const exposure of exposures) {
    const { id, atMs } = exposure;
    const hour = Math.floor(atMs / HOUR_MS);
    if (!idsByHour.has(hour)) {
      for (const each of idsByHour.keys()) if (each < hour - KEPT_HOURS) idsByHour.delete(each);
      idsByHour.set(hour, new Set());
    }
    if (isKnown(idsByHour, id)) continue;
    idsByHour.get(hour)?.add(id);
    yield exposure;
  }
}

function isKnown(idsByHour: ReadonlyMap<number, ReadonlySet<string>>, id: string): boolean {
  for (const ids of idsByHour.values()) if (ids.has(id)) return true;
  return false;
}
