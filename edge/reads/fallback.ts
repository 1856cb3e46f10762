// The order of the fallback chain, as pure functions of manifest, read and time:
//
//   1. the user's list
//   2. if it is unreachable: the list without item metadata (for an expanded read), then a cached previous list
//   3. the surface's popular list, under the user's variant
//   4. the popular list of all surfaces
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import { HIDDEN_MS } from '../../shared/domain/effects/erasure-document.ts';
import { erasedAtMs } from '../../shared/domain/effects/erasure-fence.ts';
import { type Switches, switchesAt } from '../../shared/domain/effects/switches.ts';
import { type Assignment, type AttributesOf, assign, assignPreview } from '../../shared/domain/experiments/assign.ts';
import { type Name, POPULAR_SURFACE, POPULAR_USER, type UserId } from '../../shared/domain/ids.ts';
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Lineage } from '../../shared/domain/lineage.ts';
import type { Manifest, Surface, Variant } from '../../shared/domain/manifest.ts';
import {
  chooseGeneration,
  chooseVariant,
  cohortOf,
  type NearestRegion,
  warmGenerationOf,
} from '../../shared/domain/rollout.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ListRequest } from './list-source.ts';
import type { FallbackKind } from './trail.ts';

export interface Read {
  readonly user: UserId;
  readonly surface: Name;
  /** `none`: no popular list; a user without a list gets `no_recommendations`. */
  readonly fallback: 'popular' | 'none';
  /** Variant that a previewer names instead of the rollout's choice. */
  readonly variant: Name | undefined;
  /** Adds each item's metadata. Default: the list alone. */
  readonly expand?: ListKey['expand'];
  /** Attributes of the user that experiments may target. Default: none is known. */
  readonly attributes?: AttributesOf | undefined;
}

/** The step of the user's own list. */
export interface OwnStep extends FallbackStep {
  readonly assignment: Assignment;
}

export interface FallbackStep extends ListRequest {
  /** Published generations of the variant, newest first. Undefined: every older list is readable. */
  readonly lineage?: Lineage | undefined;
  readonly source: 'personal' | 'popular';
  /**
   * The user is hidden, or a switch puts the popular list in the place of the user's: the step is not read. Default:
   * false.
   */
  readonly isSkipped?: boolean;
  /** Undefined for the list that was requested. */
  readonly fallback?: FallbackKind;
}

/** The first step: the user's list. Returns `unknown_surface`, `unknown_variant` or `surface_off` as a value. */
export function makeOwnStep(
  read: Read,
  manifest: LiveManifest,
  nowMs: number,
  nearestRegion: NearestRegion,
  switches?: Switches,
): OwnStep | EarshotError {
  const { user, expand } = read;
  const surface = surfaceOf(manifest, read.surface);
  if (surface === undefined)
    return new EarshotError('unknown_surface', 'edge', `there is no surface "${read.surface}"`);
  const switched = switches?.surfaces.get(read.surface);
  if (switched?.mode === 'off') return makeSurfaceOff(read.surface);
  const assignment =
    read.variant === undefined
      ? assign(manifest, read.surface, surface, user, read.attributes)
      : assignPreview(read.surface, surface, read.variant);
  if (assignment === undefined)
    return new EarshotError('unknown_variant', 'edge', `there is no variant "${read.variant}" on "${read.surface}"`);
  const { variant } = assignment;
  const generation = chooseGeneration(variant, user, nowMs, nearestRegion);
  const items = expand === undefined ? undefined : manifest.items?.current;
  const coldFor = cohortOf(variant, user, nowMs) === 'control' ? variant.canary?.generation : undefined;
  const notBeforeMs = erasedAtMs(manifest, user);
  const isSkipped = notBeforeMs === HIDDEN_MS || switched?.mode === 'popular';
  return {
    key: { surface: read.surface, variant: variant.name, generation, user, expand, items, coldFor },
    ttlSeconds: ttlOf(surface, switched),
    notBeforeMs,
    source: 'personal',
    assignment,
    lineage: variant.lineage,
    warm: isSkipped ? undefined : warmOf(variant, user, generation, nowMs),
    ...(isSkipped ? { isSkipped } : {}),
  };
}

/** A switch only shortens it. */
const ttlOf = (
  { listTtlSeconds }: Surface,
  switched: { readonly listTtlSeconds?: number | undefined } | undefined,
): number => Math.min(listTtlSeconds, switched?.listTtlSeconds ?? listTtlSeconds);

/** Callers come back after about as long as a person needs to look. */
const OFF_RETRY_AFTER_SECONDS = '30';

const makeSurfaceOff = (surface: Name): EarshotError =>
  new EarshotError('surface_off', 'edge', `the surface "${surface}" is switched off`, {
    headers: { 'Retry-After': OFF_RETRY_AFTER_SECONDS },
  });

/** The generation to warm beside a read of `generation`. */
function warmOf(variant: Variant, user: string, generation: number, nowMs: number): number | undefined {
  const next = warmGenerationOf(variant, user, nowMs);
  return next === generation ? undefined : next;
}

interface Position {
  readonly read: Read;
  readonly own: FallbackStep;
  /** The step that brought no list. */
  readonly step: FallbackStep;
  /** Whether that step failed, rather than found no list. */
  readonly isUnreachable: boolean;
}

/** The step after `step`; undefined at the end of the chain. */
export function nextStep(position: Position, manifest: Manifest, nowMs: number): FallbackStep | undefined {
  return nextOwnStep(position, manifest) ?? nextPopularStep(position, manifest, nowMs);
}

function nextOwnStep({ read, own, step, isUnreachable }: Position, manifest: Manifest): FallbackStep | undefined {
  if (!isUnreachable) return undefined;
  // A cache may have the unexpanded list, or only the items may be unreachable.
  if (step === own && read.expand !== undefined)
    return { ...own, key: { ...own.key, expand: undefined, items: undefined }, fallback: 'unexpanded' };
  return step === own || step.fallback === 'unexpanded' ? makePreviousStep(own, manifest) : undefined;
}

function nextPopularStep({ read, own, step }: Position, manifest: Manifest, nowMs: number): FallbackStep | undefined {
  if (read.fallback === 'none') return undefined;
  const here = makeSurfacePopularStep(own, manifest);
  if (step.source === 'personal') return here;
  const anywhere = makePopularStep(read, manifest, nowMs);
  const isTried = (each: FallbackStep): boolean =>
    anywhere !== undefined && makeCacheKey(each.key) === makeCacheKey(anywhere.key);
  return isTried(step) || isTried(here) ? undefined : anywhere;
}

/** Undefined without a previous generation, or if the user is on it already. A canary's user was on `current`. */
function makePreviousStep(own: FallbackStep, manifest: Manifest): FallbackStep | undefined {
  const surface = surfaceOf(manifest, own.key.surface);
  const variant = surface && variantOf(surface, own.key.variant);
  const isInCanary = variant?.canary !== undefined && own.key.generation === variant.canary.generation;
  const previous = isInCanary ? variant.current : variant?.previous;
  if (previous === undefined || previous === own.key.generation) return undefined;
  const key = { ...own.key, generation: previous, expand: undefined, items: undefined, coldFor: undefined };
  return { ...own, key, warm: undefined, onlyIfCached: true, fallback: 'previous' };
}

/** The popular list of the read's surface, under the user's variant. */
export const makeSurfacePopularStep = (own: FallbackStep, manifest: Manifest): FallbackStep => ({
  ...own,
  key: { ...own.key, user: POPULAR_USER, coldFor: undefined },
  notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
  source: 'popular',
  fallback: 'popular',
  warm: undefined,
  isSkipped: false,
});

/** The popular list of all surfaces; undefined if the manifest has no surface for it. */
export function makePopularStep(
  { expand }: Pick<Read, 'expand'>,
  manifest: Manifest,
  nowMs: number,
): FallbackStep | undefined {
  const surface = surfaceOf(manifest, POPULAR_SURFACE);
  if (surface === undefined) return undefined;
  const variant = chooseVariant(surface, POPULAR_USER);
  const generation = chooseGeneration(variant, POPULAR_USER, nowMs);
  const items = expand === undefined ? undefined : manifest.items?.current;
  return {
    key: { surface: POPULAR_SURFACE, variant: variant.name, generation, user: POPULAR_USER, expand, items },
    ttlSeconds: ttlOf(surface, switchesAt(manifest, nowMs)?.surfaces.get(POPULAR_SURFACE)),
    notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
    source: 'popular',
    fallback: 'popular',
    lineage: variant.lineage,
  };
}

const variantOf = ({ variants }: Surface, name: Name): Variant | undefined => variants.find((v) => v.name === name);

const surfaceOf = ({ surfaces }: Manifest, name: string): Surface | undefined =>
  Object.hasOwn(surfaces, name) ? surfaces[name] : undefined;
