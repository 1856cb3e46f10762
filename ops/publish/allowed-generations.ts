// Decides whether a load would harm live lists. Bigtable keeps the newest LIST_VERSIONS of a list, so a load can push
// out live lists, or be collected itself before a read.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Variant } from '../../shared/domain/manifest.ts';
import { newestKept } from '../bigtable/kept-generations.ts';
import { LIST_VERSIONS } from '../bigtable/schema/tables.ts';

type Live = Pick<Variant, 'current' | 'previous' | 'canary'>;

export interface GenerationCheck {
  /** Generation of the load in ms since the epoch. */
  readonly generation: number;
  /** Generations of the same variant whose load has started. */
  readonly loads: readonly number[];
  /** The live variant, or the live items, if any. */
  readonly live: Live | undefined;
  /** Versions that Bigtable keeps. Default: LIST_VERSIONS. */
  readonly versions?: number;
  readonly nowMs: number;
  /** Days after which Bigtable collects a list. Undefined: the age is not checked. */
  readonly listMaxAgeDays?: number;
}

/** More than clocks can differ. */
const MAX_AHEAD_MS = 86_400_000;
const DAY_MS = 86_400_000;

/** The reason not to load the generation; undefined if it is safe. */
export function whyNotLoad({
  generation,
  loads,
  live,
  nowMs,
  versions = LIST_VERSIONS,
  listMaxAgeDays,
}: GenerationCheck): string | undefined {
  const moment = formatGeneration(generation);
  if (generation > nowMs + MAX_AHEAD_MS) return `generation ${moment} is in the future`;
  if (listMaxAgeDays !== undefined && generation < nowMs - listMaxAgeDays * DAY_MS)
    return `generation ${moment} is older than ${listMaxAgeDays} days, so its lists would be collected at once`;
  if (live !== undefined && (generation === live.current || generation === live.previous)) {
    return `generation ${moment} is live or was before, and lists under a generation never change; load a new one`;
  }
  const kept = newestKept([...loads, generation, ...generationsOf(live)], versions);
  if (!kept.includes(generation)) {
    return `generation ${moment} is older than the newest ${versions} (${kept.map(formatGeneration).join(', ')}), which are all that Bigtable keeps`;
  }
  const lost = generationsOf(live).find((needed) => !kept.includes(needed));
  if (lost === undefined) return undefined;
  const unpublished = loads.filter((load) => load > lost).map(formatGeneration);
  return `generation ${moment} would push out ${formatGeneration(lost)}, which is live or the way back: Bigtable keeps the newest ${versions}; load one of ${unpublished.join(', ')} again instead, or publish one`;
}

/** The live generation, the way back, and a canary. */
const generationsOf = (live: Live | undefined): number[] =>
  [live?.current, live?.previous, live?.canary?.generation].filter((each) => each !== undefined);
