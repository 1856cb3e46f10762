// What a listener gets: their own list, else the popular list of the surface, else the one for all surfaces, else a reason why nothing.
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import type { StoredList } from '../shared/entry.ts';
import { EarshotError } from '../shared/errors.ts';
import { POPULAR_SURFACE, POPULAR_USER } from '../shared/ids.ts';
import { type ListKey, makeCacheKey } from '../shared/keys.ts';
import type { Manifest, Surface } from '../shared/manifest.ts';
import { chooseGeneration, chooseList } from '../shared/rollout.ts';
import type { CacheTrail } from './cache-status.ts';
import type { Call } from './call.ts';
import type { ListReader } from './read-list.ts';

export interface Read {
  readonly user: string;
  readonly surface: string;
  readonly fallback: 'popular' | 'none';
  /** Chosen by a previewer instead of by the rollout. */
  readonly variant: string | undefined;
}

export interface Served {
  readonly list: StoredList;
  /** The user's own key, with their variant, also when another list stands in. */
  readonly own: ListKey;
  readonly source: 'personal' | 'popular';
  /** Why the popular list stands in: the user has none, or what they have could not be reached. */
  readonly standsInFor: 'absent' | 'unreachable' | undefined;
  /** When a cache stored the list; undefined when it comes from an origin. */
  readonly storedAtMs: number | undefined;
  readonly trails: readonly CacheTrail[];
}

interface LadderOptions {
  readonly lists: ListReader;
  readonly clock: Clock;
  readonly counters: Counters;
}

interface Rung {
  readonly key: ListKey;
  readonly ttlSeconds: number;
  readonly source: 'personal' | 'popular';
}

/** Throws `unknown_surface`, `unknown_variant`, `no_recommendations` or `unavailable`. */
export type ServeRead = (read: Read, manifest: Manifest, call: Call) => Promise<Served>;

export const createLadder =
  ({ lists, clock, counters }: LadderOptions): ServeRead =>
  async (read, manifest, call) => {
    counters.add('edge_reads_total');
    const rungs = makeRungs(read, manifest, clock.now());
    const trails: CacheTrail[] = [];
    let unreachable = false;
    for (const { key, ttlSeconds, source } of rungs) {
      const result = await lists.read(key, ttlSeconds, call);
      trails.push(source === 'popular' ? { ...result.trail, detail: 'popular' } : result.trail);
      if (result.kind === 'list') {
        const own = rungs[0].key;
        const { list, storedAtMs } = result;
        if (source === 'personal') return { list, own, source, standsInFor: undefined, storedAtMs, trails };
        counters.add('edge_popular_total');
        return { list, own, source, standsInFor: unreachable ? 'unreachable' : 'absent', storedAtMs, trails };
      }
      if (result.kind === 'unreachable') unreachable = true;
    }
    throw unreachable
      ? new EarshotError('unavailable', 'origin', `no region gave a list for ${makeCacheKey(rungs[0].key)}`)
      : new EarshotError(
          'no_recommendations',
          'edge',
          `expected a list for "${read.user}" on "${read.surface}", got none`,
        );
  };

function makeRungs(read: Read, { surfaces }: Manifest, nowMs: number): [Rung, ...Rung[]] {
  const surface = Object.hasOwn(surfaces, read.surface) ? surfaces[read.surface] : undefined;
  if (surface === undefined) throw new EarshotError('unknown_surface', 'edge', `there is no surface "${read.surface}"`);
  const own = chooseOwn(surface, read, nowMs);
  const personal: Rung = {
    key: { surface: read.surface, user: read.user, ...own },
    ttlSeconds: surface.listTtlSeconds,
    source: 'personal',
  };
  if (read.fallback === 'none') return [personal];
  const popularHere: Rung = { ...personal, key: { ...personal.key, user: POPULAR_USER }, source: 'popular' };
  const popularAnywhere = makePopularRung(surfaces, nowMs);
  const isAnother =
    popularAnywhere !== undefined && makeCacheKey(popularAnywhere.key) !== makeCacheKey(popularHere.key);
  return isAnother ? [personal, popularHere, popularAnywhere] : [personal, popularHere];
}

function chooseOwn(surface: Surface, read: Read, nowMs: number): { variant: string; generation: number } {
  if (read.variant === undefined) {
    const { variant, generation } = chooseList(surface, read.user, nowMs);
    return { variant: variant.name, generation };
  }
  const variant = surface.variants.find(({ name }) => name === read.variant);
  if (variant === undefined) {
    throw new EarshotError('unknown_variant', 'edge', `there is no variant "${read.variant}" on "${read.surface}"`);
  }
  return { variant: variant.name, generation: chooseGeneration(variant, read.user, nowMs) };
}

function makePopularRung(surfaces: Manifest['surfaces'], nowMs: number): Rung | undefined {
  const surface = Object.hasOwn(surfaces, POPULAR_SURFACE) ? surfaces[POPULAR_SURFACE] : undefined;
  if (surface === undefined) return undefined;
  const { variant, generation } = chooseList(surface, POPULAR_USER, nowMs);
  return {
    key: { surface: POPULAR_SURFACE, variant: variant.name, generation, user: POPULAR_USER },
    ttlSeconds: surface.listTtlSeconds,
    source: 'popular',
  };
}
