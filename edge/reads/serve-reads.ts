// What a listener gets: their own list, else the popular list of the surface, else the one for all surfaces, else a reason why nothing. Whoever
// asks for what is known of the items gets it with each of them; when their own list cannot be reached with it, the list alone comes first.

import type { StoredList } from '../../shared/caching/entry.ts';
import { erasedAtMs } from '../../shared/domain/erasure-fence.ts';
import { POPULAR_SURFACE, POPULAR_USER } from '../../shared/domain/ids.ts';
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Manifest, Surface } from '../../shared/domain/manifest.ts';
import { chooseGeneration, chooseList } from '../../shared/domain/rollout.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type Call, detach } from '../request/call.ts';
import type { CacheTrail, StandIn } from '../respond/cache-status.ts';
import type { ListRequest } from '../upstream/region-reader.ts';
import type { ListRead, ListReader } from './read-through.ts';

export interface Read {
  readonly user: string;
  readonly surface: string;
  readonly fallback: 'popular' | 'none';
  /** Chosen by a previewer instead of by the rollout. */
  readonly variant: string | undefined;
  /** Whether to give each item with what is known of it. Default: the list alone. */
  readonly expand?: ListKey['expand'];
}

export interface Served {
  readonly list: StoredList;
  /** The user's own key, with their variant, also when another list stands in. */
  readonly own: ListKey;
  readonly source: 'personal' | 'popular';
  /** Why another list than what was asked for stands in: the user has none, or it could not be reached. */
  readonly standsInFor: 'absent' | 'unreachable' | undefined;
  /** When a cache stored the list; undefined when it was read for this answer. */
  readonly storedAtMs: number | undefined;
  readonly trails: readonly CacheTrail[];
}

/** Why there is nothing to serve, with what was asked. */
export class ReadError extends EarshotError {
  readonly trails: readonly CacheTrail[];

  constructor(code: 'no_recommendations' | 'unavailable', message: string, trails: readonly CacheTrail[]) {
    super(code, code === 'unavailable' ? 'origin' : 'edge', message);
    this.trails = trails;
  }
}

/** One outcome per read, in their order: what is served, or `unknown_surface`, `unknown_variant`, `no_recommendations` or `unavailable`. */
export type ServeReads = (
  reads: readonly Read[],
  manifest: Manifest,
  call: Call,
) => Promise<readonly (Served | EarshotError)[]>;

/** What one read is served with when the nearest tier has the user's own list fresh; nothing is waited for, and `open` seldom called. */
export type ServeHeld = (read: Read, manifest: Manifest, open: () => Call) => Served | undefined;

export interface Ladder {
  readonly serveReads: ServeReads;
  readonly serveHeld: ServeHeld;
}

interface LadderOptions {
  readonly lists: ListReader;
  readonly clock: Clock;
  readonly counters: Counters;
  /** How often the popular lists are looked after, in milliseconds; 0: not before they are needed. */
  readonly popularWarmMs: number;
}

interface Rung extends ListRequest {
  readonly source: 'personal' | 'popular';
  /** What it is, when it is not what was asked for. */
  readonly standIn?: StandIn;
}

/** One read on its way down the ladder. */
interface Climb {
  readonly read: Read;
  readonly own: Rung;
  readonly trails: CacheTrail[];
  rung: Rung | undefined;
  isUnreachable: boolean;
  outcome: Served | EarshotError | undefined;
}

/** More names than this are of generations that are over. */
const MAX_KEPT = 1_000;

export function createLadder({ lists, clock, counters, popularWarmMs }: LadderOptions): Ladder {
  function begin(read: Read, manifest: Manifest): Climb | EarshotError {
    const own = makeOwnRung(read, manifest, clock.now());
    if (own instanceof EarshotError) return own;
    return { read, own, trails: [], rung: own, isUnreachable: false, outcome: undefined };
  }

  /** Takes what a rung gave: the list, or the step to the next rung. */
  function take(climb: Climb, rung: Rung, result: ListRead, manifest: Manifest): void {
    const { standIn } = rung;
    climb.trails.push(standIn === undefined ? result.trail : { ...result.trail, detail: standIn });
    if (result.kind === 'entry' && result.entry.value.kind === 'list') {
      climb.outcome = serve(climb, rung, result.entry.value, result.isFromCache ? result.entry.storedAtMs : undefined);
      return;
    }
    const isUnreachable = result.kind === 'unreachable';
    climb.isUnreachable ||= isUnreachable;
    climb.rung = nextRung(climb, rung, isUnreachable, manifest, clock.now());
    if (climb.rung === undefined) climb.outcome = giveUp(climb);
  }

  function serve(climb: Climb, rung: Rung, list: StoredList, storedAtMs: number | undefined): Served {
    const { own, trails, isUnreachable } = climb;
    const { source } = rung;
    if (rung === own) return { list, own: own.key, source, standsInFor: undefined, storedAtMs, trails };
    if (source === 'popular') counters.add('edge_popular_total');
    if (rung.standIn === 'previous') counters.add('edge_previous_total');
    const standsInFor = isUnreachable ? 'unreachable' : 'absent';
    return { list, own: own.key, source, standsInFor, storedAtMs, trails };
  }

  const serveHeld: ServeHeld = (read, manifest, open) => {
    const own = makeOwnRung(read, manifest, clock.now());
    if (own instanceof EarshotError) return undefined;
    const held = lists.readHeld(own, open);
    if (held === undefined) return undefined;
    counters.add('edge_reads_total');
    const { storedAtMs, value: list } = held.entry;
    return { list, own: own.key, source: 'personal', standsInFor: undefined, storedAtMs, trails: [held.trail] };
  };

  /** When the lists that stand in were last asked for, by cache key: few, a variant of a surface each. */
  const keptAtMs = new Map<string, number>();

  /** Sees to it that the popular lists are at hand before they are needed: when they are, nobody may be there to give them. */
  function keepPopular(climbs: readonly Climb[], manifest: Manifest, call: Call): void {
    if (popularWarmMs === 0) return;
    const nowMs = clock.now();
    const due = new Map<string, Rung>();
    for (const { own, read } of climbs) {
      for (const rung of [makePopularHereRung(own, manifest), makePopularRung(read, manifest, nowMs)]) {
        const cacheKey = rung && makeCacheKey(rung.key);
        if (rung === undefined || cacheKey === undefined || nowMs - (keptAtMs.get(cacheKey) ?? 0) < popularWarmMs)
          continue;
        due.set(cacheKey, { ...rung, isBackground: true });
        keptAtMs.set(cacheKey, nowMs);
      }
    }
    if (keptAtMs.size > MAX_KEPT) keptAtMs.clear();
    if (due.size > 0) call.waitUntil(lists.read([...due.values()], detach(call, clock)));
  }

  const serveReads: ServeReads = async (reads, manifest, call) => {
    counters.add('edge_reads_total', reads.length);
    const climbs = reads.map((read) => begin(read, manifest));
    const started = climbs.filter((climb): climb is Climb => !(climb instanceof EarshotError));
    for (let open = started; open.length > 0; open = open.filter(({ outcome }) => outcome === undefined)) {
      const rungs = open.map(({ rung }) => rung as Rung);
      const results = await lists.read(rungs, call);
      for (const [i, climb] of open.entries()) take(climb, rungs[i] as Rung, results[i] as ListRead, manifest);
    }
    keepPopular(started, manifest, call);
    return climbs.map((climb) => (climb instanceof EarshotError ? climb : (climb.outcome as Served | EarshotError)));
  };
  return { serveReads, serveHeld };
}

function giveUp({ read, own, isUnreachable, trails }: Climb): ReadError {
  return isUnreachable
    ? new ReadError('unavailable', `no region gave a list for ${makeCacheKey(own.key)}`, trails)
    : new ReadError('no_recommendations', `expected a list for "${read.user}" on "${read.surface}", got none`, trails);
}

function makeOwnRung(read: Read, manifest: Manifest, nowMs: number): Rung | EarshotError {
  const surface = surfaceOf(manifest, read.surface);
  if (surface === undefined)
    return new EarshotError('unknown_surface', 'edge', `there is no surface "${read.surface}"`);
  const choice = chooseOwn(surface, read, nowMs);
  if (choice instanceof EarshotError) return choice;
  return {
    key: { surface: read.surface, user: read.user, ...choice, expand: read.expand },
    ttlSeconds: surface.listTtlSeconds,
    notBeforeMs: erasedAtMs(manifest, read.user),
    source: 'personal',
  };
}

function chooseOwn(
  surface: Surface,
  read: Read,
  nowMs: number,
): { variant: string; generation: number } | EarshotError {
  if (read.variant === undefined) {
    const { variant, generation } = chooseList(surface, read.user, nowMs);
    return { variant: variant.name, generation };
  }
  const variant = surface.variants.find(({ name }) => name === read.variant);
  if (variant === undefined) {
    return new EarshotError('unknown_variant', 'edge', `there is no variant "${read.variant}" on "${read.surface}"`);
  }
  return { variant: variant.name, generation: chooseGeneration(variant, read.user, nowMs) };
}

/**
 * After the user's own list the popular one of the surface, under the user's own variant, and after that the one for all surfaces; all of them
 * expanded when the read is. Before them, when the own list cannot be reached: that list alone, when it was to be expanded, because it may be
 * held, or its items be what is out of reach; and what caches hold of it from the generation before.
 */
function nextRung(
  climb: Climb,
  rung: Rung,
  isUnreachable: boolean,
  manifest: Manifest,
  nowMs: number,
): Rung | undefined {
  const { read, own } = climb;
  if (rung === own && isUnreachable && read.expand !== undefined) {
    return { ...own, key: { ...own.key, expand: undefined }, standIn: 'plain' };
  }
  if (isUnreachable && (rung === own || rung.standIn === 'plain')) {
    const previous = makePreviousRung(own, manifest);
    if (previous !== undefined) return previous;
  }
  if (read.fallback === 'none') return undefined;
  const here = makePopularHereRung(own, manifest);
  if (rung.source === 'personal') return here;
  const anywhere = makePopularRung(read, manifest, nowMs);
  const isAsked = (each: Rung): boolean =>
    anywhere !== undefined && makeCacheKey(each.key) === makeCacheKey(anywhere.key);
  return isAsked(rung) || isAsked(here) ? undefined : anywhere;
}

/** Undefined when there is no generation before, or the user is on it already. */
function makePreviousRung(own: Rung, manifest: Manifest): Rung | undefined {
  const variant = surfaceOf(manifest, own.key.surface)?.variants.find(({ name }) => name === own.key.variant);
  const previous = variant?.previous;
  if (previous === undefined || previous === own.key.generation) return undefined;
  const key = { ...own.key, generation: previous, expand: undefined };
  return { ...own, key, isHeldOnly: true, standIn: 'previous' };
}

const makePopularHereRung = (own: Rung, manifest: Manifest): Rung => ({
  ...own,
  key: { ...own.key, user: POPULAR_USER },
  notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
  source: 'popular',
  standIn: 'popular',
});

function makePopularRung({ expand }: Pick<Read, 'expand'>, manifest: Manifest, nowMs: number): Rung | undefined {
  const surface = surfaceOf(manifest, POPULAR_SURFACE);
  if (surface === undefined) return undefined;
  const { variant, generation } = chooseList(surface, POPULAR_USER, nowMs);
  return {
    key: { surface: POPULAR_SURFACE, variant: variant.name, generation, user: POPULAR_USER, expand },
    ttlSeconds: surface.listTtlSeconds,
    notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
    source: 'popular',
    standIn: 'popular',
  };
}

const surfaceOf = ({ surfaces }: Manifest, name: string): Surface | undefined =>
  Object.hasOwn(surfaces, name) ? surfaces[name] : undefined;
