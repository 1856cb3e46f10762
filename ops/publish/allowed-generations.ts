// Decides whether a load would harm live lists. Bigtable keeps the newest LIST_VERSIONS of a list, so a load can push
// out live lists, or be collected itself before a read.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Variant } from '../../shared/domain/manifest.ts';
import { rampFraction } from '../../shared/domain/rollout.ts';
import { newestKept } from '../bigtable/kept-generations.ts';
import { LIST_VERSIONS } from '../bigtable/schema/tables.ts';

export interface GenerationCheck {
  /** Generation of the load in ms since the epoch. */
  readonly generation: number;
  /** Generations of the same variant whose load has started. */
  readonly loads: readonly number[];
  /** The live variant, if any. */
  readonly live: Variant | undefined;
  readonly nowMs: number;
  /** Days after which Bigtable collects a list. Undefined: the age is not checked. */
  readonly listMaxAgeDays?: number;
}

/** More than clocks can differ. */
const MAX_AHEAD_MS = 86_400_000;
const DAY_MS = 86_400_000;

/** The reason not to load the generation; undefined if it is safe. */
export function whyNotLoad({ generation, loads, live, nowMs, listMaxAgeDays }: GenerationCheck): string | undefined {
  const moment = formatGeneration(generation);
  if (generation > nowMs + MAX_AHEAD_MS) return `generation ${moment} is in the future`;
  if (listMaxAgeDays !== undefined && generation < nowMs - listMaxAgeDays * DAY_MS)
    return `generation ${moment} is older than ${listMaxAgeDays} days, so its lists would be collected at once`;
  if (live !== undefined && (generation === live.current || generation === live.previous)) {
    return `generation ${moment} is live or was before, and lists under a generation never change; load a new one`;
  }
  const kept = newestKept([...loads, generation, ...generationsOf(live)]);
  if (!kept.includes(generation)) {
    return `generation ${moment} is older than the newest ${LIST_VERSIONS} (${kept.map(formatGeneration).join(', ')}), which are all that Bigtable keeps`;
  }
  const lost = neededBy(live, nowMs).find((needed) => !kept.includes(needed));
  if (lost === undefined) return undefined;
  const unpublished = loads.filter((load) => load > lost).map(formatGeneration);
  return `generation ${moment} would push out ${formatGeneration(lost)}, which is live: Bigtable keeps the newest ${LIST_VERSIONS}; load one of ${unpublished.join(', ')} again instead, or publish one`;
}

const generationsOf = (live: Variant | undefined): number[] =>
  live === undefined ? [] : [live.current, ...(live.previous === undefined ? [] : [live.previous])];

/** During a flip both generations have listeners. After it the previous one only serves for a roll-back. */
function neededBy(live: Variant | undefined, nowMs: number): number[] {
  if (live === undefined) return [];
  const isFlipping = live.flip !== undefined && rampFraction(live.flip, nowMs) < 1;
  return isFlipping ? generationsOf(live) : [live.current];
}
