// What an isolate knows of the regions, and what follows from it for a request: whom to ask, when to ask a second one, and whether that may be
// afforded. Kept as long as the isolate; nothing in here belongs to one request.

import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { createBudget } from '../../shared/runtime/retry-budget.ts';
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { Log } from '../log.ts';
import { createOutliers } from './outlier-detector.ts';
import { createRoundTrips, type Place } from './round-trips.ts';

/** How one attempt to read from a region ended. */
export type Outcome =
  /** It answered for what it was asked. */
  | 'answered'
  /** Its object answered from what it holds, which says how far it is, and nothing of its origin. */
  | 'held'
  /** The region as a whole is at fault. */
  | 'failed'
  /** Another region, asked later, answered earlier, or would have long ago. */
  | 'outrun'
  /** It has too much to do and said so: that is no fault of the region, and going elsewhere with all of it would only move it. */
  | 'shed'
  /** It was let go of, and says nothing. */
  | 'unknown';

export interface Routing {
  /** Whom a request from `place` may ask, in this order: those that are ejected are left out, and come last when they are most. */
  regionsFor(place: Place): readonly Region[];
  /** The first attempt at what is asked: a part of it is saved for further ones. */
  earn(): void;
  /** Whether there may be one more; it is paid for then. */
  spend(): boolean;
  /** After how many ms without an answer a second region is asked. */
  hedgeDelayMs(region: Region, place: Place): number;
  /** After how many ms an answer is as good as none: another region would have given it long before. Infinite when there is no other. */
  slowAfterMs(region: Region, place: Place): number;
  /** Whether the region cannot answer in what is left, as far as is known: it usually takes twice as long. */
  isHopeless(region: Region, place: Place, leftMs: number): boolean;
  /** Whether hedges would do harm: somebody has too much to do. */
  isShedding(): boolean;
  /** Whether the region asked to be left alone by those who can go elsewhere (Retry-After). */
  isBackingOff(region: Region): boolean;
  note(region: Region, place: Place, outcome: Outcome, tookMs: number, retryAfterMs?: number): void;
  /** How long an answer took, when its region has been judged already. */
  learn(region: Region, place: Place, tookMs: number): void;
  /** An ejected region whose time is over, once: a read goes there beside the request. */
  takeProbe(): Region | undefined;
  endProbe(region: Region, place: Place, outcome: Outcome, tookMs: number): void;
  status(place: Place): Pick<EdgeStatus, 'regions' | 'budget'>;
}

interface RoutingOptions {
  readonly regions: readonly Region[];
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** One more attempt for each ten. The reserve is for the requests that are under way until a dead region is ejected. */
const BUDGET = { share: 0.1, reserve: 250 };
/** The 95th of a hundred answers, and later when the budget runs low, so that something is left for those that take really long. */
const HEDGE_QUANTILE = { earliest: 0.95, latest: 0.99 };
const MIN_HEDGE_DELAY_MS = 10;
/** Before enough was measured. */
const UNMEASURED_HEDGE_DELAY = { factor: 2, ms: 100 };
/** An answer is as good as none when it comes after this many times what another region is expected to take, and so many ms. */
const SLOW = { factor: 2, ms: 100 };
/** What usually takes so many times what is left is not begun. */
const HOPELESS = 2;
/** A shed read says for so long that hedges would add to the load, if it does not say for how long itself. */
const SHEDDING_MS = 1_000;
const MAX_BACK_OFF_MS = 30_000;

export function createRouting({ regions, clock, random, counters, log }: RoutingOptions): Routing {
  const roundTrips = createRoundTrips({ regions, clock });
  const budget = createBudget(BUDGET);
  const backOffUntilMs = new Map<string, number>();
  const outliers = createOutliers({
    regions: regions.map(({ name }) => name),
    clock,
    random,
    onChange: (region, state, ejectedForMs) => {
      if (state === 'ejected') counters.add('edge_ejections_total');
      if (state === 'probing') counters.add('edge_probes_total');
      log.warn('region_state', { region, state, ...(state === 'ejected' ? { ejectedForMs } : {}) });
    },
  });
  const isHealthy = ({ name }: Region): boolean => !outliers.isEjected(name);

  /** When another region would have answered long ago. */
  function slowAfterMs(region: Region, place: Place): number {
    const others = regions.filter((other) => other.name !== region.name && isHealthy(other));
    const bestMs = Math.min(...others.map((other) => roundTrips.expect(other, place).ms));
    return bestMs * SLOW.factor + SLOW.ms;
  }

  function isBad(region: Region, place: Place, outcome: Outcome, tookMs: number): boolean {
    if (outcome === 'answered') return tookMs > slowAfterMs(region, place);
    return outcome === 'failed' || outcome === 'outrun';
  }

  const says = (outcome: Outcome): boolean => outcome !== 'held' && outcome !== 'shed' && outcome !== 'unknown';

  function backOff({ name }: Region, ms: number): void {
    const untilMs = clock.now() + Math.min(MAX_BACK_OFF_MS, ms);
    backOffUntilMs.set(name, Math.max(untilMs, backOffUntilMs.get(name) ?? 0));
  }

  const isBackingOff = ({ name }: Region): boolean => clock.now() < (backOffUntilMs.get(name) ?? 0);

  return {
    regionsFor: (place) => {
      const ordered = roundTrips.order(place);
      const healthy = ordered.filter(isHealthy);
      if (healthy.length === ordered.length) return ordered;
      return outliers.isPanic() ? [...healthy, ...ordered.filter((region) => !isHealthy(region))] : healthy;
    },
    earn: () => budget.earn(1),
    spend: () => budget.spend(1),
    hedgeDelayMs: (region, place) => {
      const { earliest, latest } = HEDGE_QUANTILE;
      const share = latest - (latest - earliest) * budget.level();
      const measuredMs = roundTrips.quantile(region.name, place.name, share);
      if (measuredMs !== undefined) return Math.max(MIN_HEDGE_DELAY_MS, measuredMs);
      return roundTrips.expect(region, place).ms * UNMEASURED_HEDGE_DELAY.factor + UNMEASURED_HEDGE_DELAY.ms;
    },
    slowAfterMs,
    isHopeless: (region, place, leftMs) => {
      const { ms, isMeasured } = roundTrips.expect(region, place);
      return isMeasured && ms > HOPELESS * leftMs;
    },
    isShedding: () => regions.some(isBackingOff),
    isBackingOff,
    note: (region, place, outcome, tookMs, retryAfterMs = SHEDDING_MS) => {
      if (outcome === 'shed') backOff(region, retryAfterMs);
      if (outcome === 'answered' || outcome === 'held') roundTrips.observe(region.name, place.name, tookMs);
      if (says(outcome)) outliers.note(region.name, isBad(region, place, outcome, tookMs));
    },
    learn: (region, place, tookMs) => roundTrips.observe(region.name, place.name, tookMs),
    takeProbe: () => {
      const name = outliers.takeProbe();
      return regions.find((region) => region.name === name);
    },
    endProbe: (region, place, outcome, tookMs) => {
      // One that sheds is there again; that it has too much to do is for its guard.
      const isStillBad = outcome === 'unknown' || isBad(region, place, outcome, tookMs);
      outliers.endProbe(region.name, isStillBad);
      if (!isStillBad && outcome === 'answered') roundTrips.observe(region.name, place.name, tookMs);
    },
    status: (place) => ({
      regions: roundTrips.order(place).map((region) => {
        const { ms, isMeasured } = roundTrips.expect(region, place);
        const p95Ms = roundTrips.quantile(region.name, place.name, 0.95);
        const p95 = p95Ms === undefined ? {} : { p95Ms };
        return { name: region.name, roundTripMs: ms, isMeasured, ...p95, ...outliers.status(region.name) };
      }),
      budget: { tokens: budget.left(), reserve: BUDGET.reserve },
    }),
  };
}
