// One attempt to read keys from one region, and the account of its end: to the keys, and to the knowledge about the
// region.
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { LoadResult } from '../reads/list-source.ts';
import type { RegionReader } from '../reads/region-reader.ts';
import { type Call, remainingMs } from '../request/call.ts';
import {
  type AttemptOutcome,
  isWaitEnded,
  isWholeRegionFault,
  outcomeOf,
  retryAfterMsOf,
  toBackgroundOutcome,
} from './attempt-outcome.ts';
import { applyResult, type KeyProgress } from './key-progress.ts';
import type { Routing } from './routing.ts';

export interface Attempt {
  readonly region: Region;
  readonly keys: readonly KeyProgress[];
  readonly startedAtMs: number;
  /** End of the time that the attempt has. */
  readonly deadlineAtMs: number;
  /** The time that the region usually needs. An attempt with less of it says nothing of the region. */
  readonly usualMs: number;
  /** No caller waits for any of its keys. */
  readonly isBackground: boolean;
  /** Whether its latency is like that of other attempts. Expanded lists are larger, and need a second table. */
  readonly isComparable: boolean;
  readonly cancel: () => void;
  /** Settles when there are results. Never rejects. */
  readonly done: Promise<void>;
  results: readonly LoadResult[] | undefined;
  /** When a second region is asked for the same keys. Infinite afterwards. */
  hedgeAtMs: number;
  /** When the region counts as slow. Infinite afterwards. */
  overdueAtMs: number;
  /** Whether this attempt has been recorded against the region. */
  isRecorded: boolean;
}

export interface AttemptDeps {
  readonly reader: RegionReader;
  readonly routing: Routing;
  readonly clock: Clock;
  readonly counters: Counters;
}

export interface AttemptOptions {
  readonly region: Region;
  /** The region that is tried after this one, if there is one. */
  readonly next: Region | undefined;
  readonly keys: readonly KeyProgress[];
  readonly isFirst: boolean;
  readonly isBackground: boolean;
}

export function startAttempt(
  { reader, routing, clock, counters }: AttemptDeps,
  { region, next, keys, isFirst, isBackground }: AttemptOptions,
  call: Call,
): Attempt {
  counters.add('edge_attempts_total');
  const { place } = call;
  const startedAtMs = clock.now();
  const usualMs = routing.usualMs(region, place);
  const nextMs = next === undefined ? 0 : routing.usualMs(next, place);
  const deadlineAtMs = startedAtMs + allottedMs(remainingMs(call, clock), usualMs, nextMs);
  const cancellation = new CancellationSource();
  const removeListener = call.cancellation?.onCancel(() => cancellation.cancel());
  const requests = keys.map(({ request }) => request);
  const results = reader.read(region, requests, { ...call, deadlineAtMs, cancellation });
  const isComparable = requests.every(({ key }) => key.expand === undefined);
  const overdueMs = routing.overdueAfterMs(region, place);
  // A second attempt is hedged only when it is overdue, and so is one that is not comparable.
  const hedgeMs = isFirst && isComparable ? routing.hedgeDelayMs(region, place) : overdueMs;
  const attempt: Attempt = {
    region,
    keys,
    startedAtMs,
    deadlineAtMs,
    usualMs,
    isBackground,
    isComparable,
    cancel: () => cancellation.cancel(),
    done: results.then((all) => {
      removeListener?.();
      attempt.results = all;
    }),
    results: undefined,
    hedgeAtMs: startedAtMs + (isBackground ? Number.POSITIVE_INFINITY : hedgeMs),
    overdueAtMs: startedAtMs + overdueMs,
    isRecorded: false,
  };
  return attempt;
}

/** The remaining time without that of the next region, if it is enough for this one. Else all of it. */
const allottedMs = (leftMs: number, usualMs: number, nextMs: number): number =>
  leftMs - nextMs >= usualMs ? leftMs - nextMs : leftMs;

/** Applies the results of an ended attempt. */
export function endAttempt({ routing, clock }: AttemptDeps, attempt: Attempt, call: Call): void {
  const { region, keys, startedAtMs, results = [] } = attempt;
  const tookMs = clock.now() - startedAtMs;
  const outcome = judge(attempt, tookMs, call);
  if (outcome !== 'unknown' && isWholeRegionFault(results)) call.failedRegions.add(region.name);
  recordAttempt(routing, attempt, outcome, tookMs, call);
  for (const [i, progress] of keys.entries()) {
    const result = results[i];
    if (result === undefined) throw new Error('expected the region reader to return one result per request');
    if (progress.loaded === undefined) applyResult(progress, withJudgement(result, outcome));
  }
}

function recordAttempt(
  routing: Routing,
  attempt: Attempt,
  outcome: AttemptOutcome,
  tookMs: number,
  { place }: Call,
): void {
  const { region, isRecorded, isBackground, isComparable, results = [] } = attempt;
  const isAnswer = outcome === 'answered' || outcome === 'cached';
  if (outcome === 'unknown' && !isBackground) routing.recordUnjudged(region);
  else if (isAnswer && !isComparable) routing.recordIncomparable(region);
  else if (!isRecorded || outcome === 'shed')
    routing.recordOutcome(region, place, outcome, tookMs, retryAfterMsOf(results));
  else if (outcome === 'answered') routing.recordLatency(region, place, tookMs);
}

/**
 * The outcome, as far as it says something of the region: a caller's short deadline must not be held against a region
 * that others use, and must not make it look faster than it is. A region that failed before the time was up has failed.
 */
function judge(attempt: Attempt, tookMs: number, call: Call): AttemptOutcome {
  const { startedAtMs, deadlineAtMs, usualMs, isBackground, results = [] } = attempt;
  const endsAtMs = Math.min(deadlineAtMs, call.waitedForUntilMs?.() ?? deadlineAtMs);
  const hadTime = endsAtMs - startedAtMs >= usualMs;
  // If the region is overdue, that has been recorded.
  if (call.cancellation?.isCancelled() === true) return 'unknown';
  // The region's object waited in vain. A wait that ended at once had another reason, here.
  if (tookMs >= usualMs && hadTime && isWaitEnded(results)) return 'failed';
  const outcome = isBackground ? toBackgroundOutcome(outcomeOf(results)) : outcomeOf(results);
  if (outcome === 'shed' || outcome === 'refused' || hadTime) return outcome;
  const isCutShort = startedAtMs + tookMs >= endsAtMs;
  return outcome === 'failed' && !isCutShort ? outcome : 'unknown';
}

/** A failure for lack of time is no failure of the source, and a wait that ended in spite of enough time is one. */
function withJudgement(result: LoadResult, outcome: AttemptOutcome): LoadResult {
  if (result.kind !== 'failed') return result;
  if (outcome === 'unknown' && result.reason === 'region-unavailable') return { ...result, reason: 'wait-ended' };
  return outcome === 'failed' ? { ...result, reason: 'region-unavailable' } : result;
}

/** Cancels an attempt whose keys another region has answered. Only the first attempt loses a race by that. */
export function cancelAttempt(
  { routing, clock, counters }: AttemptDeps,
  attempt: Attempt,
  call: Call,
  isFirst: boolean,
) {
  attempt.cancel();
  counters.add('edge_cancelled_total');
  const { region, startedAtMs, keys, isRecorded } = attempt;
  const outcome = isFirst && !isRecorded ? 'lost-race' : 'unknown';
  routing.recordOutcome(region, call.place, outcome, clock.now() - startedAtMs);
  for (const { regions } of keys) regions.unshift({ region: region.name, origin: { detail: 'cancelled' } });
}
