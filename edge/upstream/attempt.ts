// One attempt to read keys from one region, and the account of its end: to the keys, and to the knowledge about the
// region.
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { LoadResult } from '../reads/list-source.ts';
import { type Call, remainingMs } from '../request/call.ts';
import { isWholeRegionFault, outcomeOf, retryAfterMsOf, toBackgroundOutcome } from './attempt-outcome.ts';
import { applyResult, type KeyProgress } from './key-progress.ts';
import type { RegionReader } from './region-reader.ts';
import type { Routing } from './routing.ts';

export interface Attempt {
  readonly region: Region;
  readonly keys: readonly KeyProgress[];
  readonly startedAtMs: number;
  /** No caller waits for any of its keys. */
  readonly isBackground: boolean;
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
  readonly keys: readonly KeyProgress[];
  readonly isFirst: boolean;
  readonly isBackground: boolean;
}

export function startAttempt({ reader, routing, clock, counters }: AttemptDeps, options: AttemptOptions, call: Call) {
  const { region, keys, isFirst, isBackground } = options;
  counters.add('edge_attempts_total');
  const cancellation = new CancellationSource();
  const requests = keys.map(({ request }) => request);
  const results = reader.read(region, requests, { ...call, cancellation });
  const startedAtMs = clock.now();
  const overdueMs = routing.overdueAfterMs(region, call.place);
  // A second attempt is hedged only when it is overdue.
  const hedgeMs = isFirst ? routing.hedgeDelayMs(region, call.place) : overdueMs;
  const attempt: Attempt = {
    region,
    keys,
    startedAtMs,
    isBackground,
    cancel: () => cancellation.cancel(),
    done: results.then((all) => {
      attempt.results = all;
    }),
    results: undefined,
    hedgeAtMs: startedAtMs + (isBackground ? Number.POSITIVE_INFINITY : hedgeMs),
    overdueAtMs: startedAtMs + overdueMs,
    isRecorded: false,
  };
  return attempt;
}

/** Applies the results of an ended attempt. */
export function endAttempt({ routing, clock }: AttemptDeps, attempt: Attempt, call: Call): void {
  const { region, keys, startedAtMs, isBackground, isRecorded, results = [] } = attempt;
  const outcome = isBackground ? toBackgroundOutcome(outcomeOf(results)) : outcomeOf(results);
  if (isWholeRegionFault(results)) call.failedRegions.add(region.name);
  const tookMs = clock.now() - startedAtMs;
  // An attempt with less time than the region usually needs says nothing of the region.
  const isCutShort =
    outcome === 'failed' && remainingMs(call, clock) === 0 && tookMs < routing.hedgeDelayMs(region, call.place);
  if (!isCutShort && (!isRecorded || outcome === 'shed'))
    routing.recordOutcome(region, call.place, outcome, tookMs, retryAfterMsOf(results));
  else if (outcome === 'answered') routing.recordLatency(region, call.place, tookMs);
  for (const [i, progress] of keys.entries()) {
    const result = results[i];
    if (result === undefined) throw new Error('expected the region reader to return one result per request');
    if (progress.loaded === undefined) applyResult(progress, result);
  }
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
