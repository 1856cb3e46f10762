// Whether loading a generation would harm what is live. Bigtable keeps the newest LIST_VERSIONS of a list, so a load
// can push out the lists that listeners are being served, or be collected itself before anybody reads it.

import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Variant } from '../../shared/domain/manifest.ts';
import { rampFraction } from '../../shared/domain/rollout.ts';
import { LIST_VERSIONS } from '../bigtable/tables.ts';

export interface GenerationCheck {
  /** What is to be loaded; milliseconds since the epoch, as all generations here. */
  readonly generation: number;
  /** Those of the same variant whose load has begun. */
  readonly loads: readonly number[];
  /** What is live; undefined when nothing of this variant is. */
  readonly live: Variant | undefined;
  readonly nowMs: number;
}

/** Clocks differ; a day is more than they do. */
const MAX_AHEAD_MS = 86_400_000;

/** Why the generation should not be loaded; undefined when nothing speaks against it. */
export function whyNotLoad({ generation, loads, live, nowMs }: GenerationCheck): string | undefined {
  const moment = formatGeneration(generation);
  if (generation > nowMs + MAX_AHEAD_MS) return `generation ${moment} lies in the future`;
  if (live !== undefined && (generation === live.current || generation === live.previous)) {
    return `generation ${moment} is live or was before, and lists under a generation never change; load a new one`;
  }
  const kept = newestKept([...loads, generation, ...generationsOf(live)]);
  if (!kept.includes(generation)) {
    return `generation ${moment} is older than the newest ${LIST_VERSIONS} (${kept.map(formatGeneration).join(', ')}), which are all that is kept`;
  }
  const lost = neededBy(live, nowMs).find((needed) => !kept.includes(needed));
  if (lost === undefined) return undefined;
  const unpublished = loads.filter((load) => load > lost).map(formatGeneration);
  return `generation ${moment} would push out ${formatGeneration(lost)}, which is live: the newest ${LIST_VERSIONS} are kept; load one of ${unpublished.join(', ')} again instead, or publish one`;
}

/** The generations whose lists Bigtable keeps, newest first. */
export const newestKept = (generations: readonly number[]): number[] =>
  [...new Set(generations)].sort((a, b) => b - a).slice(0, LIST_VERSIONS);

const generationsOf = (live: Variant | undefined): number[] =>
  live === undefined ? [] : [live.current, ...(live.previous === undefined ? [] : [live.previous])];

/** While a flip goes on listeners are on both; after it the one before only serves to go back to. */
function neededBy(live: Variant | undefined, nowMs: number): number[] {
  if (live === undefined) return [];
  const isFlipping = live.flip !== undefined && rampFraction(live.flip, nowMs) < 1;
  return isFlipping ? generationsOf(live) : [live.current];
}
