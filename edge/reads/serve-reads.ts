// Serves reads: the user's list, or the first list of the fallback chain (fallback.ts) that can be read, or the reason
// why there is none.
import type { ListKey } from '../../shared/domain/keys.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Call } from '../request/call.ts';
import { type FallbackStep, makeOwnStep, nextStep, type Read } from './fallback.ts';
import type { ListRead } from './list-read.ts';
import type { ListReader } from './read-through.ts';
import type { CacheTrail } from './trail.ts';
import { createWarmPopular } from './warm-popular.ts';

export interface Served {
  readonly list: StoredList;
  /** Key of the user's list, with the user's variant, also if a fallback is served. */
  readonly own: ListKey;
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
 * One outcome per read, in order: a list, or `unknown_surface`, `unknown_variant`, `no_recommendations` or
 * `unavailable`.
 */
export type ServeReads = (
  reads: readonly Read[],
  manifest: Manifest,
  call: Call,
) => Promise<readonly (Served | EarshotError)[]>;

/** The user's list if the nearest tier has it fresh, without I/O. `open` is called only when a refresh is due. */
export type ServeCached = (read: Read, manifest: Manifest, open: () => Call) => Served | undefined;

interface ServeReadsOptions {
  readonly lists: ListReader;
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
  readonly own: FallbackStep;
  readonly trails: CacheTrail[];
  step: FallbackStep | undefined;
  isUnreachable: boolean;
  outcome: Served | EarshotError | undefined;
}

export function createServeReads({ lists, clock, counters, popularWarmMs, popularTimeoutMs }: ServeReadsOptions): {
  readonly serveReads: ServeReads;
  readonly serveCached: ServeCached;
} {
  const warmPopular = createWarmPopular({ lists, clock, intervalMs: popularWarmMs, timeoutMs: popularTimeoutMs });

  function startRead(read: Read, manifest: Manifest): PendingRead | EarshotError {
    const own = makeOwnStep(read, manifest, clock.now());
    if (own instanceof EarshotError) return own;
    return { read, own, trails: [], step: own, isUnreachable: false, outcome: undefined };
  }

  /** Ends the read with the list of `step`, or moves it to the next step. */
  function applyResult(pending: PendingRead, step: FallbackStep, result: ListRead, manifest: Manifest): void {
    const { fallback } = step;
    pending.trails.push(fallback === undefined ? result.trail : { ...result.trail, detail: fallback });
    if (result.kind === 'entry' && result.entry.value.kind === 'list') {
      countFallback(step);
      pending.outcome = toServed(pending, step, result.entry.value);
      return;
    }
    const isUnreachable = result.kind === 'unreachable';
    pending.isUnreachable ||= isUnreachable;
    pending.step = nextStep({ read: pending.read, own: pending.own, step, isUnreachable }, manifest, clock.now());
    if (pending.step === undefined) pending.outcome = toReadError(pending);
  }

  function countFallback({ source, fallback }: FallbackStep): void {
    if (source === 'popular') counters.add('edge_popular_total');
    if (fallback === 'previous') counters.add('edge_previous_total');
  }

  const serveReads: ServeReads = async (reads, manifest, call) => {
    counters.add('edge_reads_total', reads.length);
    const outcomes = reads.map((read) => startRead(read, manifest));
    const started = outcomes.filter((each): each is PendingRead => !(each instanceof EarshotError));
    for (let open = started; open.length > 0; open = open.filter(({ outcome }) => outcome === undefined)) {
      const steps = open.map(({ step }) => step as FallbackStep);
      const results = await lists.read(steps, call);
      for (const [i, pending] of open.entries())
        applyResult(pending, steps[i] as FallbackStep, results[i] as ListRead, manifest);
    }
    warmPopular(started, manifest, call);
    return outcomes.map((each) => (each instanceof EarshotError ? each : (each.outcome as Served | EarshotError)));
  };

  const serveCached: ServeCached = (read, manifest, open) => {
    const own = makeOwnStep(read, manifest, clock.now());
    if (own instanceof EarshotError) return undefined;
    const cached = lists.getCached(own, open);
    if (cached === undefined) return undefined;
    counters.add('edge_reads_total');
    const { value: list } = cached.entry;
    return { list, own: own.key, source: 'personal', fallbackReason: undefined, trails: [cached.trail] };
  };

  return { serveReads, serveCached };
}

function toServed({ own, trails, isUnreachable }: PendingRead, step: FallbackStep, list: StoredList): Served {
  const reason = isUnreachable ? 'unreachable' : 'absent';
  const fallbackReason = step === own ? undefined : reason;
  return { list, own: own.key, source: step.source, fallbackReason, trails };
}

function toReadError({ read, own, isUnreachable, trails }: PendingRead): ReadError {
  return isUnreachable
    ? new ReadError('unavailable', `no region returned a list of ${own.key.surface}/${own.key.variant}`, trails)
    : new ReadError('no_recommendations', `expected a list for "${read.user}" on "${read.surface}", got none`, trails);
}
