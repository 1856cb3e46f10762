// The variant and generation of a user: a pure function of manifest, user and time, so every edge decides alike.
// test/unit/shared/domain/vectors.json pins the results; a change would move listeners between variants.
import { unitHash } from '../runtime/hash.ts';
import type { Surface, Variant } from './manifest.ts';

export interface Choice {
  readonly variant: Variant;
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The variant and generation of `user` on `surface` at `nowMs`. */
export function chooseList(surface: Surface, user: string, nowMs: number): Choice {
  const variant = chooseVariant(surface, user);
  return { variant, generation: chooseGeneration(variant, user, nowMs) };
}

/**
 * Weighted rendezvous hashing: the variant with the smallest -ln(u)/weight wins, u being uniform per (salt, user,
 * variant). Changing one weight moves users only into or out of that variant. Source: C. Schindelhauer, G. Schomaker,
 * "Weighted Distributed Hash Tables", 2005.
 */
export function chooseVariant({ salt, variants }: Pick<Surface, 'salt' | 'variants'>, user: string): Variant {
  let winner: Variant | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const variant of variants) {
    if (variant.weight === 0) continue;
    const score = -Math.log(unitHash(`${salt}/${user}/${variant.name}`)) / variant.weight;
    if (winner === undefined || score < lowest) {
      winner = variant;
      lowest = score;
    }
  }
  if (winner === undefined) throw new Error('expected a variant with a weight above 0; a valid manifest has one');
  return winner;
}

/** `current`, or `previous` for the users that a running flip has not reached yet. */
export function chooseGeneration({ current, previous, flip }: Variant, user: string, nowMs: number): number {
  if (flip === undefined || previous === undefined) return current;
  return unitHash(`${current}/${user}`) < rampFraction(flip, nowMs) ? current : previous;
}

/** Whether some users are on `generation` at `nowMs`. During a flip both generations have users. */
export function isGenerationServed({ current, previous, flip }: Variant, generation: number, nowMs: number): boolean {
  const share = flip === undefined || previous === undefined ? 1 : rampFraction(flip, nowMs);
  return (generation === current && share > 0) || (generation === previous && share < 1);
}

/** Elapsed share of a flip: 0 before its start, 1 after its end. */
export function rampFraction({ startsAtMs, durationMs }: NonNullable<Variant['flip']>, nowMs: number): number {
  if (nowMs < startsAtMs) return 0;
  const elapsedMs = nowMs - startsAtMs;
  return elapsedMs >= durationMs ? 1 : elapsedMs / durationMs;
}
