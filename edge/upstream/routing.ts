// The isolate's knowledge about the regions: order, health, hedge delays and the retry budget. It lives as long as the
// isolate, and holds nothing of a single request.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { createRetryBudget } from '../../shared/runtime/retry-budget.ts';
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { Log } from '../log.ts';
import type { Place } from '../request/place.ts';
import { type AttemptOutcome, toBackgroundOutcome } from './attempt-outcome.ts';
import { hedgeDelayMs, isHopeless, isPlaceHopeless, overdueAfterMs, usualMs } from './hedge-delay.ts';
import { createOutlierDetector } from './outlier-detector.ts';
import { createRefusals, createRegionBackoff, createUnjudged } from './region-backoff.ts';
import { putLast, skipEjected } from './region-order.ts';
import { createRoundTrips } from './round-trips.ts';

export interface Routing {
  /** Regions that a request from `place` may try, in order. Ejected regions are left out; in a panic they come last. */
  regionsFor(place: Place): readonly Region[];
  /** Records a first attempt, which adds to the retry budget. */
  deposit(): void;
  /** Pays for one more attempt. Returns false if the budget is used up. */
  tryWithdraw(): boolean;
  /** Milliseconds without an answer after which a second region is asked. */
  hedgeDelayMs(region: Region, place: Place): number;
  /** Milliseconds after which another region would have answered long before. Infinite without another region. */
  overdueAfterMs(region: Region, place: Place): number;
  /** Milliseconds that the region usually needs (p95). */
  usualMs(region: Region, place: Place): number;
  /** Whether the region is not expected to answer within `leftMs`. */
  isHopeless(region: Region, place: Place, leftMs: number): boolean;
  /** Whether no region is expected to answer `place` within `leftMs`, as far as the isolate has measured any. */
  isPlaceHopeless(place: Place, leftMs: number): boolean;
  /** Whether an answer of the region is expected within `leftMs` (p50). A hedge or failover needs that. */
  fits(region: Region, place: Place, leftMs: number): boolean;
  /** Whether a region sheds reads, so that hedges would add to an overload. */
  isShedding(): boolean;
  /** Whether the region asked callers that can go elsewhere to do so (Retry-After). */
  isBackingOff(region: Region): boolean;
  recordOutcome(region: Region, place: Place, outcome: AttemptOutcome, tookMs: number, retryAfterMs?: number): void;
  /** Records the latency of an attempt whose outcome has been recorded before. */
  recordLatency(region: Region, place: Place, tookMs: number): void;
  /** Records an answer whose latency is not like that of others: the region answers, and nothing else is known. */
  recordIncomparable(region: Region): void;
  /** Records an attempt that had too little time to say anything. Without others, a probe replaces its judgement. */
  recordUnjudged(region: Region): void;
  /**
   * A region to probe beside the request: one whose ejection is over, once per ejection, or one of which no attempt has
   * said anything for UNJUDGED_MS, although it was tried.
   */
  takeProbe(): Region | undefined;
  endProbe(region: Region, place: Place, outcome: AttemptOutcome, tookMs: number): void;
  status(place: Place): Pick<EdgeStatus, 'regions' | 'budget'>;
}

interface RoutingOptions {
  readonly regions: readonly Region[];
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** One additional attempt per ten. The reserve covers the requests in flight until a dead region is ejected. */
const RETRY_BUDGET = { share: 0.1, reserve: 250 };

export function createRouting({ regions, clock, random, counters, log }: RoutingOptions): Routing {
  const roundTrips = createRoundTrips({ regions, clock });
  const budget = createRetryBudget(RETRY_BUDGET);
  const backoff = createRegionBackoff(clock);
  const refusals = createRefusals(clock);
  const unjudged = createUnjudged(clock);
  const outliers = createOutlierDetector({
    regions: regions.map(({ name }) => name),
    clock,
    random,
    onChange: (region, state, ejectedForMs) => {
      if (state === 'ejected') counters.add('edge_ejections_total');
      if (state === 'probing') counters.add('edge_probes_total');
      log.warn('region_state', { region, state, ...(state === 'ejected' ? { ejectedForMs } : {}) });
    },
  });
  const isEjected = ({ name }: Region): boolean => outliers.isEjected(name);

  function overdueMs(region: Region, place: Place): number {
    const others = regions.filter((other) => other.name !== region.name && !isEjected(other));
    return overdueAfterMs(roundTrips, others, place);
  }

  function isBad(region: Region, place: Place, outcome: AttemptOutcome, tookMs: number): boolean {
    if (outcome === 'answered') return tookMs > overdueMs(region, place);
    return outcome === 'failed' || outcome === 'lost-race';
  }

  const recordOutcome: Routing['recordOutcome'] = (region, place, outcome, tookMs, retryAfterMs) => {
    if (outcome !== 'unknown') unjudged.recordJudged(region.name);
    if (outcome === 'shed') backoff.start(region, retryAfterMs);
    if (outcome === 'refused' || outcome === 'answered') refusals.record(region, outcome === 'refused');
    if (outcome === 'answered' || outcome === 'cached') roundTrips.observe(region.name, place.name, tookMs);
    if (isAboutOrigin(outcome)) outliers.record(region.name, isBad(region, place, outcome, tookMs));
  };

  return {
    regionsFor: (place) =>
      putLast(skipEjected(roundTrips.order(place), isEjected, outliers.isPanic()), refusals.isRefusing),
    deposit: () => budget.deposit(1),
    tryWithdraw: () => budget.tryWithdraw(1),
    hedgeDelayMs: (region, place) => hedgeDelayMs(roundTrips, budget.level(), region, place),
    overdueAfterMs: overdueMs,
    usualMs: (region, place) => usualMs(roundTrips, region, place),
    isHopeless: (region, place, leftMs) => isHopeless(roundTrips.expect(region, place), leftMs),
    isPlaceHopeless: (place, leftMs) =>
      isPlaceHopeless(
        regions.map((each) => roundTrips.expect(each, place)),
        leftMs,
      ),
    fits: (region, place, leftMs) => roundTrips.expect(region, place).ms <= leftMs,
    isShedding: () => regions.some(backoff.isBackingOff),
    isBackingOff: backoff.isBackingOff,
    recordOutcome,
    recordLatency: (region, place, tookMs) => roundTrips.observe(region.name, place.name, tookMs),
    recordIncomparable: (region) => {
      unjudged.recordJudged(region.name);
      refusals.record(region, false);
      outliers.record(region.name, false);
    },
    recordUnjudged: ({ name }) => unjudged.record(name),
    takeProbe: () => {
      const name = outliers.takeProbe() ?? unjudged.takeProbe();
      return regions.find((region) => region.name === name);
    },
    endProbe: (region, place, outcome, tookMs) => {
      if (outliers.status(region.name).state === 'healthy') {
        recordOutcome(region, place, toBackgroundOutcome(outcome), tookMs);
        return;
      }
      // A region that sheds is reachable again. Its own guard handles the overload.
      const isStillBad = outcome === 'unknown' || isBad(region, place, outcome, tookMs);
      outliers.endProbe(region.name, isStillBad);
      if (!isStillBad && outcome === 'answered') roundTrips.observe(region.name, place.name, tookMs);
    },
    status: (place) => ({
      regions: roundTrips.order(place).map((region) => {
        const { ms, isMeasured } = roundTrips.expect(region, place);
        const p95Ms = roundTrips.quantile(region.name, place.name, 0.95);
        const p95 = p95Ms === undefined ? {} : { p95Ms };
        const health = outliers.status(region.name);
        const isRefusing = health.state === 'healthy' && refusals.isRefusing(region);
        const state = isRefusing ? 'refusing' : health.state;
        return { name: region.name, roundTripMs: ms, isMeasured, ...p95, ...health, state };
      }),
      budget: { tokens: budget.balance(), reserve: RETRY_BUDGET.reserve },
    }),
  };
}

const isAboutOrigin = (outcome: AttemptOutcome): boolean =>
  outcome !== 'cached' && outcome !== 'shed' && outcome !== 'refused' && outcome !== 'unknown';
