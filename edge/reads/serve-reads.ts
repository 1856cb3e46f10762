// Serves reads: the user's list, or the first list of the fallback chain (fallback.ts) that can be read, or the reason
// why there is none.
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import { namesFor, type Switches, switchesAt } from '../../shared/domain/effects/switches.ts';
import type { Assignment } from '../../shared/domain/experiments/assign.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import { isReadable } from '../../shared/domain/lineage.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { NearestRegion } from '../../shared/domain/rollout.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Call } from '../request/call.ts';
import { nearestRegionTo, type Place } from '../request/place.ts';
import { createBlockFilter } from './block-filter.ts';
import { type FallbackStep, makeOwnStep, nextStep, type OwnStep, type Read } from './fallback.ts';
import type { ListRead } from './list-read.ts';
import type { ListReader } from './read-through.ts';
import type { Shadow } from './shadow.ts';
import type { CacheTrail } from './trail.ts';
import { createWarmNext } from './warm-next.ts';
import { createWarmPopular } from './warm-popular.ts';

export interface Served {
  readonly list: StoredList;
  /** Key of the user's list, with the user's variant, also if a fallback is served. */
  readonly own: ListKey;
  /** Why the user has that variant. */
  readonly assignment: Assignment;
  readonly source: 'personal' | 'popular';
  /** Why a fallback is served: the user has no list, or no region could be reached. Undefined for the user's list. */
  readonly fallbackReason: 'absent' | 'unreachable' | undefined;
  readonly trails: readonly CacheTrail[];
}

/** The chain ended without a list. */
export class ReadError extends EarshotError {
  readonly trails: readonly CacheTrail[];

  constructor(code: 'no_recommendations' | 'unavailable', message: string, trails: readonly CacheTrail[]) {
    super(code, code === 'unavailable' ? 'origin' : 'edge', message);
    this.trails = trails;
  }
}

/**
 * One outcome per read, in order: a list, or `unknown_surface`, `unknown_variant`, `surface_off`,
 * `no_recommendations` or `unavailable`.
 */
export type ServeReads = (
  reads: readonly Read[],
  manifest: LiveManifest,
  call: Call,
) => Promise<readonly (Served | EarshotError)[]>;

/** The user's list if the nearest tier has it fresh, without I/O. `open` is called only when a refresh is due. */
export type ServeCached = (
  read: Read,
  manifest: LiveManifest,
  nearestRegion: NearestRegion,
  open: () => Call,
) => Served | undefined;

interface ServeReadsOptions {
  readonly lists: ListReader;
  readonly shadow: Pick<Shadow, 'record'>;
  readonly regions: readonly Region[];
  readonly clock: Clock;
  readonly counters: Counters;
  /** Milliseconds between two warm-ups of one popular list. 0 disables them. */
  readonly popularWarmMs: number;
  /** Maximum duration of a warm-up in milliseconds. */
  readonly popularTimeoutMs: number;
}

/** One read on its way through the fallback chain. */
interface PendingRead {
  readonly read: Read;
  own: OwnStep;
  readonly trails: CacheTrail[];
  step: FallbackStep | undefined;
  /** The step that is read for the second time. */
  secondRead: FallbackStep | undefined;
  isUnreachable: boolean;
  outcome: Served | EarshotError | undefined;
  readonly switches: string | undefined;
}

export function createServeReads(options: ServeReadsOptions): {
  readonly serveReads: ServeReads;
  readonly serveCached: ServeCached;
} {
  const { lists, shadow, regions, clock, counters, popularWarmMs, popularTimeoutMs } = options;
  const warmNext = createWarmNext({ lists, clock, counters, timeoutMs: popularTimeoutMs });
  const warmPopular = createWarmPopular({ lists, clock, intervalMs: popularWarmMs, timeoutMs: popularTimeoutMs });

  const withoutBlocked = createBlockFilter();

  function startRead(
    read: Read,
    manifest: LiveManifest,
    nearestRegion: NearestRegion,
    switches: Switches | undefined,
  ): PendingRead | EarshotError {
    const own = makeOwnStep(read, manifest, clock.now(), nearestRegion, switches);
    if (own instanceof EarshotError) return own;
    const position = { read, own, step: own, isUnreachable: false };
    const step = own.isSkipped === true ? nextStep(position, manifest, clock.now()) : own;
    const pending: PendingRead = {
      ...{ read, own, trails: [], step, secondRead: undefined, isUnreachable: false, outcome: undefined },
      switches: switches && namesFor(switches, read.surface),
    };
    if (step === undefined) pending.outcome = toReadError(pending);
    return pending;
  }

  /** Ends the read with the list of `step`, or moves it to the next step. */
  function applyResult(pending: PendingRead, step: FallbackStep, result: ListRead, manifest: LiveManifest): void {
    const { fallback } = step;
    const { switches } = pending;
    const trail = switches === undefined ? result.trail : { ...result.trail, switches };
    pending.trails.push(fallback === undefined ? trail : { ...trail, detail: fallback });
    const list = result.kind === 'entry' && result.entry.value.kind === 'list' ? result.entry.value : undefined;
    const isRefused = list !== undefined && !isReadable(step.lineage, step.key.generation, list.generation);
    if (list !== undefined && !isRefused) {
      countFallback(step);
      if (pending.switches !== undefined) counters.add('edge_switched_total');
      pending.outcome = toServed(pending, step, withoutBlocked(list, manifest, clock.now()));
      return;
    }
    if (isRefused && readAgain(pending, step)) return;
    const isUnreachable = result.kind === 'unreachable' || isRefused;
    pending.isUnreachable ||= isUnreachable;
    pending.step = nextStep({ read: pending.read, own: pending.own, step, isUnreachable }, manifest, clock.now());
    if (pending.step === undefined) pending.outcome = toReadError(pending);
  }

  /**
   * The manifest does not name the list's own generation: it was never published, or is left. The step is read once
   * more, from no cache. Returns false if it was, or if it asks caches alone.
   */
  function readAgain(pending: PendingRead, step: FallbackStep): boolean {
    counters.add('edge_unpublished_lists_total');
    if (step.onlyIfCached === true || pending.secondRead === step) return false;
    const again = { notBeforeMs: clock.now() };
    if (pending.own === step) {
      pending.own = { ...pending.own, ...again };
      pending.step = pending.own;
    } else {
      pending.step = { ...step, ...again };
    }
    pending.secondRead = pending.step;
    return true;
  }

  function countFallback({ source, fallback }: FallbackStep): void {
    if (source === 'popular') counters.add('edge_popular_total');
    if (fallback === 'previous') counters.add('edge_previous_total');
  }

  const serveReads: ServeReads = async (reads, manifest, openedCall) => {
    counters.add('edge_reads_total', reads.length);
    const switches = switchesAt(manifest, clock.now());
    const call = underMarks(openedCall, manifest, clock.now(), switches);
    const nearestRegion = createNearestRegion(call.place, regions);
    const outcomes = reads.map((read) => startRead(read, manifest, nearestRegion, switches));
    const started = outcomes.filter((each): each is PendingRead => !(each instanceof EarshotError));
    const isOpen = ({ outcome }: PendingRead): boolean => outcome === undefined;
    for (let open = started.filter(isOpen); open.length > 0; open = open.filter(isOpen)) {
      const steps = open.map(({ step }) => step as FallbackStep);
      const results = await lists.read(steps, call);
      for (const [i, pending] of open.entries()) {
        const [step, result] = [steps[i] as FallbackStep, results[i] as ListRead];
        if (switches !== undefined && result.kind === 'entry')
          shadow.record(step, result, switches.shadowShare, () => call);
        applyResult(pending, step, result, manifest);
      }
    }
    warmPopular(started, manifest, call);
    for (const { own, trails } of started) if (isNearHit(trails[0])) warmNext(own, () => call);
    return outcomes.map((each) => (each instanceof EarshotError ? each : (each.outcome as Served | EarshotError)));
  };

  const serveCached: ServeCached = (read, manifest, nearestRegion, openCall) => {
    const nowMs = clock.now();
    const switches = switchesAt(manifest, nowMs);
    const open = (): Call => underMarks(openCall(), manifest, nowMs, switches);
    const own = makeOwnStep(read, manifest, nowMs, nearestRegion, switches);
    if (own instanceof EarshotError || own.isSkipped === true) return undefined;
    const cached = lists.getCached(own, open);
    if (cached === undefined) return undefined;
    if (!isReadable(own.lineage, own.key.generation, cached.entry.value.generation)) return undefined;
    counters.add('edge_reads_total');
    warmNext(own, open);
    const list = withoutBlocked(cached.entry.value, manifest, nowMs);
    const { trail: found, entry } = cached;
    if (switches !== undefined) {
      const hit = { kind: 'entry', entry, isFromCache: true, trail: found } as const;
      shadow.record(own, hit, switches.shadowShare, open);
    }
    const names = switches && namesFor(switches, read.surface);
    if (names !== undefined) counters.add('edge_switched_total');
    const trail = names === undefined ? found : { ...found, switches: names };
    const { key, assignment } = own;
    return { list, own: key, assignment, source: 'personal', fallbackReason: undefined, trails: [trail] };
  };

  return { serveReads, serveCached };
}

/** Whether a cache of the edge had the list, so that no region object was asked. */
const isNearHit = (trail: CacheTrail | undefined): boolean =>
  trail?.entry?.value.kind === 'list' && trail.regions.length === 0;

/** Computed at most once for a call. */
function createNearestRegion(place: Place, regions: readonly Region[]): NearestRegion {
  let nearest: { readonly name: string | undefined } | undefined;
  return () => {
    nearest ??= { name: nearestRegionTo(place, regions) };
    return nearest.name;
  };
}

/** `call` under the switches and the marks of the manifest, also for work behind an answer. */
const underMarks = (call: Call, manifest: LiveManifest, nowMs: number, switches: Switches | undefined): Call => ({
  ...call,
  regions: orderByMarks(call.regions, manifest, nowMs, switches),
  switches,
});

/** `regions` with those last that an operator has marked as degraded, or avoids by a switch. */
function orderByMarks(
  regions: readonly Region[],
  { regions: marks }: LiveManifest,
  nowMs: number,
  switches: Switches | undefined,
): readonly Region[] {
  const avoided = switches?.avoidedRegions;
  if (marks === undefined && (avoided === undefined || avoided.size === 0)) return regions;
  const isLast = ({ name }: Region): boolean =>
    nowMs < (marks?.[name]?.degradedUntilMs ?? 0) || avoided?.has(name) === true;
  return [...regions.filter((region) => !isLast(region)), ...regions.filter(isLast)];
}

function toServed({ own, trails, isUnreachable }: PendingRead, step: FallbackStep, list: StoredList): Served {
  const reason = isUnreachable ? 'unreachable' : 'absent';
  const fallbackReason = step === own ? undefined : reason;
  return { list, own: own.key, assignment: own.assignment, source: step.source, fallbackReason, trails };
}

function toReadError({ read, own, isUnreachable, trails }: PendingRead): ReadError {
  return isUnreachable
    ? new ReadError('unavailable', `no region returned a list of ${own.key.surface}/${own.key.variant}`, trails)
    : new ReadError('no_recommendations', `expected a list for "${read.user}" on "${read.surface}", got none`, trails);
}
