// The variant and generation of a user: a pure function of manifest, user, time and place, so every edge decides alike.
// test/unit/shared/domain/vectors.json pins the results; a change would move listeners between variants.
import { unitHash } from '../runtime/hash.ts';
import { POPULAR_USER } from './ids.ts';
import type { Flip, Surface, Variant } from './manifest.ts';

export interface Choice {
  readonly variant: Variant;
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The variant and generation of `user` on `surface` at `nowMs`, for a caller beside `nearestRegion`. */
export function chooseList(surface: Surface, user: string, nowMs: number, nearestRegion?: NearestRegion): Choice {
  const variant = chooseVariant(surface, user);
  return { variant, generation: chooseGeneration(variant, user, nowMs, nearestRegion) };
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

/** The cohort of a user while a canary runs. Other users are in none. */
export type Cohort = 'canary' | 'control';

/** The part of a variant that decides a user's generation. */
export type Generations = Pick<Variant, 'current' | 'previous' | 'flip' | 'canary' | 'warm'>;

/** Name of the region nearest to the caller, by coordinates alone; undefined if they are not known. */
export type NearestRegion = () => string | undefined;

/**
 * The canary's generation for its users; else `current`, or `previous` for the users that a running flip has not
 * reached yet. Depends on nothing but its arguments.
 */
export function chooseGeneration(
  variant: Generations,
  user: string,
  nowMs: number,
  nearestRegion: NearestRegion = unknownRegion,
): number {
  const { current, previous, flip, canary } = variant;
  if (canary !== undefined && cohortOf(variant, user, nowMs) === 'canary') return canary.generation;
  if (flip === undefined || previous === undefined) return current;
  const { regionDelaysMs } = flip;
  const delayMs = regionDelaysMs === undefined ? 0 : delayOf(regionDelaysMs, nearestRegion());
  return rampHash(current, user) < rampShare(flip, nowMs, delayMs) ? current : previous;
}

/** Undefined outside a running canary. The cohorts are two ends of one hash, so the ramp begins with the canary. */
export function cohortOf({ canary }: Pick<Variant, 'canary'>, user: string, nowMs: number): Cohort | undefined {
  if (canary === undefined || nowMs >= canary.untilMs || user === POPULAR_USER) return undefined;
  const hash = rampHash(canary.generation, user);
  if (hash < canary.share) return 'canary';
  return hash >= 1 - canary.share ? 'control' : undefined;
}

/** The generation that caches load ahead for `user`; undefined for none. The order of users is that of a ramp. */
export function warmGenerationOf({ warm }: Pick<Variant, 'warm'>, user: string, nowMs: number): number | undefined {
  if (warm === undefined || nowMs >= warm.untilMs || user === POPULAR_USER) return undefined;
  const hash = rampHash(warm.generation, user);
  return hash >= (warm.fromShare ?? 0) && hash < rampFraction(warm, nowMs) ? warm.generation : undefined;
}

/** Whether callers somewhere are on `generation` at `nowMs`, or soon are: one user or, without one, any user. */
export function isGenerationServed(variant: Generations, generation: number, nowMs: number, user?: string): boolean {
  const { current, previous, flip, canary, warm } = variant;
  // No user reads it yet, and caches keep it for its readers.
  if (warm !== undefined && generation === warm.generation && nowMs < warm.untilMs) return true;
  if (user !== undefined)
    return delaysOf(flip).some((region) => chooseGeneration(variant, user, nowMs, () => region) === generation);
  if (canary !== undefined && generation === canary.generation && nowMs < canary.untilMs) return true;
  if (flip === undefined || previous === undefined) return generation === current;
  if (generation === current) return rampProgress(flip, nowMs).first > 0;
  return generation === previous && rampProgress(flip, nowMs).last < 1;
}

/** The shares of users on `current`: in the region that is first, and in the one that is last. */
export function rampProgress(flip: Flip, nowMs: number): { readonly first: number; readonly last: number } {
  const delays = Object.values(flip.regionDelaysMs ?? { any: 0 });
  return {
    first: rampShare(flip, nowMs, Math.min(...delays)),
    last: rampShare(flip, nowMs, Math.max(...delays)),
  };
}

/** Share of users on `current`: the elapsed share of the flip, and at least the canary's users. */
export const rampShare = (flip: Flip, nowMs: number, delayMs = 0): number =>
  Math.max(flip.fromShare ?? 0, rampFraction(flip, nowMs, delayMs));

/** Elapsed share of a flip: 0 before its start, 1 after its end. */
export function rampFraction({ startsAtMs, durationMs, pausedAtMs }: Flip, nowMs: number, delayMs = 0): number {
  const elapsedMs = Math.min(nowMs, pausedAtMs ?? nowMs) - startsAtMs - delayMs;
  if (elapsedMs < 0) return 0;
  return elapsedMs >= durationMs ? 1 : elapsedMs / durationMs;
}

/** Whether some users somewhere are not on `current` yet. */
export const isRamping = ({ flip, previous }: Pick<Variant, 'flip' | 'previous'>, nowMs: number): boolean =>
  flip !== undefined && previous !== undefined && rampProgress(flip, nowMs).last < 1;

const rampHash = (generation: number, user: string): number => unitHash(`${generation}/${user}`);

const unknownRegion = (): undefined => undefined;

function delayOf(regionDelaysMs: NonNullable<Flip['regionDelaysMs']>, region: string | undefined): number {
  const own = region !== undefined && Object.hasOwn(regionDelaysMs, region) ? regionDelaysMs[region] : undefined;
  return own ?? Math.max(0, ...Object.values(regionDelaysMs));
}

/** One region for each delay of a flip. */
const delaysOf = (flip: Flip | undefined): (string | undefined)[] => [
  undefined,
  ...Object.keys(flip?.regionDelaysMs ?? {}),
];
