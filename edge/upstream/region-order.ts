// The order in which regions are tried: by expected round trip, without ejected regions. Pure.
import type { Region } from '../../shared/domain/regions.ts';

/** A region moves ahead of another only if it is expected to be faster by this share and by this many milliseconds. */
const MIN_GAIN = { share: 0.2, ms: 5 };

/**
 * `regions` by expected round trip. With a `previous` order a region moves only for a clear gain, so two regions at
 * about the same distance do not swap with every answer.
 */
export function orderRegions(
  regions: readonly Region[],
  previous: readonly Region[],
  expectedMs: (region: Region) => number,
): readonly Region[] {
  if (previous.length === 0) return [...regions].sort((a, b) => expectedMs(a) - expectedMs(b));
  const order = [...previous];
  for (let i = 1; i < order.length; i++) {
    for (let j = i; j > 0; j--) {
      const [ahead, behind] = [order[j - 1] as Region, order[j] as Region];
      if (!isClearlyFaster(expectedMs(behind), expectedMs(ahead))) break;
      [order[j - 1], order[j]] = [behind, ahead];
    }
  }
  return order;
}

const isClearlyFaster = (ms: number, thanMs: number): boolean =>
  ms < thanMs * (1 - MIN_GAIN.share) && ms < thanMs - MIN_GAIN.ms;

/** `ordered` with the regions that `isLast` accepts behind the others. */
export function putLast(ordered: readonly Region[], isLast: (region: Region) => boolean): readonly Region[] {
  return ordered.some(isLast) ? [...ordered.filter((each) => !isLast(each)), ...ordered.filter(isLast)] : ordered;
}

/** `ordered` without ejected regions. In a panic, when most are ejected, these come last instead. */
export function skipEjected(
  ordered: readonly Region[],
  isEjected: (region: Region) => boolean,
  isPanic: boolean,
): readonly Region[] {
  const healthy = ordered.filter((region) => !isEjected(region));
  if (healthy.length === ordered.length) return ordered;
  return isPanic ? [...healthy, ...ordered.filter(isEjected)] : healthy;
}
