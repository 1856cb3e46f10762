// What a listener gets: their own list, else the popular list of the surface, else the one for all surfaces, else a reason why nothing. Whoever
// asks for what is known of the items gets it with each of them; when their own list cannot be reached with it, the list alone comes first.
import type { Clock } from '../../shared/clock.ts';
import type { Counters } from '../../shared/counters.ts';
import type { StoredList } from '../../shared/entry.ts';
import { EarshotError } from '../../shared/errors.ts';
import { erasedAtMs } from '../../shared/fence.ts';
import { POPULAR_SURFACE, POPULAR_USER } from '../../shared/ids.ts';
import { type ListKey, makeCacheKey } from '../../shared/keys.ts';
import type { Manifest, Surface } from '../../shared/manifest.ts';
import { chooseGeneration, chooseList } from '../../shared/rollout.ts';
import type { Call } from '../call.ts';
import type { CacheTrail } from '../respond/cache-status.ts';
import type { ListRequest } from '../upstream/region-reader.ts';
import type { ListRead, ListReader } from './list-reader.ts';

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
}

interface Rung extends ListRequest {
  readonly source: 'personal' | 'popular';
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

export function createLadder({ lists, clock, counters }: LadderOptions): Ladder {
  function begin(read: Read, manifest: Manifest): Climb | EarshotError {
    const own = makeOwnRung(read, manifest, clock.now());
    if (own instanceof EarshotError) return own;
    return { read, own, trails: [], rung: own, isUnreachable: false, outcome: undefined };
  }

  /** Takes what a rung gave: the list, or the step to the next rung. */
  function take(climb: Climb, rung: Rung, result: ListRead, manifest: Manifest): void {
    const detail = standInOf(climb, rung);
    climb.trails.push(detail === undefined ? result.trail : { ...result.trail, detail });
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

  const serveReads: ServeReads = async (reads, manifest, call) => {
    counters.add('edge_reads_total', reads.length);
    const climbs = reads.map((read) => begin(read, manifest));
    const started = climbs.filter((climb): climb is Climb => !(climb instanceof EarshotError));
    for (let open = started; open.length > 0; open = open.filter(({ outcome }) => outcome === undefined)) {
      const rungs = open.map(({ rung }) => rung as Rung);
      const results = await lists.read(rungs, call);
      for (const [i, climb] of open.entries()) take(climb, rungs[i] as Rung, results[i] as ListRead, manifest);
    }
    return climbs.map((climb) => (climb instanceof EarshotError ? climb : (climb.outcome as Served | EarshotError)));
  };
  return { serveReads, serveHeld };
}

/** Which list `rung` is about, when it is not what was asked for. */
function standInOf({ own }: Climb, rung: Rung): CacheTrail['detail'] {
  if (rung.source === 'popular') return 'popular';
  return rung === own ? undefined : 'plain';
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
 * expanded when the read is. Before them the user's own list alone, when it cannot be reached expanded: it may be held, or its items be what is
 * out of reach.
 */
function nextRung(
  { read, own }: Climb,
  rung: Rung,
  isUnreachable: boolean,
  manifest: Manifest,
  nowMs: number,
): Rung | undefined {
  if (rung === own && isUnreachable && read.expand !== undefined) {
    return { ...own, key: { ...own.key, expand: undefined } };
  }
  if (read.fallback === 'none') return undefined;
  const here: Rung = {
    ...own,
    key: { ...own.key, user: POPULAR_USER },
    notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
    source: 'popular',
  };
  if (rung.source === 'personal') return here;
  const anywhere = makePopularRung(read, manifest, nowMs);
  const isAsked = (each: Rung): boolean =>
    anywhere !== undefined && makeCacheKey(each.key) === makeCacheKey(anywhere.key);
  return isAsked(rung) || isAsked(here) ? undefined : anywhere;
}

function makePopularRung({ expand }: Read, manifest: Manifest, nowMs: number): Rung | undefined {
  const surface = surfaceOf(manifest, POPULAR_SURFACE);
  if (surface === undefined) return undefined;
  const { variant, generation } = chooseList(surface, POPULAR_USER, nowMs);
  return {
    key: { surface: POPULAR_SURFACE, variant: variant.name, generation, user: POPULAR_USER, expand },
    ttlSeconds: surface.listTtlSeconds,
    notBeforeMs: erasedAtMs(manifest, POPULAR_USER),
    source: 'popular',
  };
}

const surfaceOf = ({ surfaces }: Manifest, name: string): Surface | undefined =>
  Object.hasOwn(surfaces, name) ? surfaces[name] : undefined;
