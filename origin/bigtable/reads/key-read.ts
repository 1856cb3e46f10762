// Reads some keys of a table under one filter, through whatever breaks on the way. Each key is answered as soon as it is known: its row came,
// or the stream has gone past where it would be. What is repeated after a failure, or sent a second time because the first takes too long
// (a hedge), are only the keys still missing.
//
// Hedging, as a race: (1) the call has not ended after the time in which 95 of 100 do; (2) the missing keys are asked for through another app
// profile, which may lead to another cluster; (3) of each key the first answer counts; (4) with the last key both calls are over, and
// the slower is cancelled. Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013.
//
// Failover: what the local cluster fails because it is not there is asked for through the same other profile, at once; while it is ejected
// (local-cluster.ts), all is from the start, and that is no extra read. A cluster that takes calls and says nothing is found out by its hedges.

import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { RetryBudget } from '../../../shared/runtime/retry-budget.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import { grpcCodeOf, UNAVAILABLE } from '../bigtable-error.ts';
import type { Row } from '../chunk-merger.ts';
import type { LocalCluster } from '../local-cluster.ts';
import type { RowFilter } from '../read-rows.ts';
import type { ReadChannels, ReadRowsRequest } from './channels.ts';
import type { HedgeDelay } from './hedge-delay.ts';
import { probe } from './probe.ts';
import { openRowStream, type RowStream } from './row-stream.ts';

export interface KeyReadAsk {
  /** `projects/P/instances/I/tables/T`. */
  readonly tableName: string;
  readonly filter: RowFilter;
  /** In the order of their bytes, none twice, ASCII. */
  readonly keys: readonly string[];
  /** On the monotonic clock. */
  readonly deadlineAtMs: number;
}

export interface KeyReadEvents {
  /** Of each key once, unless `onFailed` comes before. Undefined: there is no such row, or nothing in it passed the filter. */
  onKey(key: string, row: Row | undefined): void;
  /** The keys that were still missing when it was given up. */
  onFailed(keys: readonly string[], error: EarshotError): void;
  /** It takes longer than calls do, and should not hold up others. At most once, and not after it is over. */
  onSlow(): void;
  /** Last of all. */
  onOver(): void;
}

/** Told what the reads of the table cost, beyond what their askers hear. */
export interface CallObserver {
  /** A ReadRows call was sent for so many keys. */
  onCall(keys: number): void;
  /** It has ended by itself, or was cancelled because its keys were known. */
  onCallEnd(call: { readonly keys: number; readonly latencyMs: number; readonly error?: EarshotError }): void;
  /** The rest of a call that failed was sent once more. */
  onRetry(): void;
  /** So many keys are asked for elsewhere, because the local cluster failed them or is ejected. */
  onFailover(keys: number): void;
  /** What became of a hedge: it brought the last key, it did not, or there was no budget for it. */
  onHedge(outcome: 'won' | 'lost' | 'denied'): void;
}

export interface KeyReadDeps {
  readonly channels: ReadChannels;
  readonly appProfile: string;
  /** Undefined: nothing is hedged, nor read elsewhere when the local cluster is gone. */
  readonly hedgeProfile: string | undefined;
  /** That of `appProfile`. */
  readonly localCluster: LocalCluster;
  readonly hedgeDelay: HedgeDelay;
  readonly budget: RetryBudget;
  /** So often in a row a call is repeated that brings nothing. */
  readonly maxRetries: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: CallObserver;
}

/** The first wait is up to this long, in milliseconds; each further one up to twice as long. */
const BACKOFF_MS = 10;
/** A call that brought nothing in this part of its time is hedged, even when nothing is known of how long calls take. */
const SILENT_SHARE = 0.6;

type Route = 'local' | 'failover' | 'hedge';

interface Attempt {
  readonly route: Route;
  readonly keys: readonly string[];
  readonly startedAtMs: number;
  /** Keys before this one are known. */
  cursor: number;
  hasProgressed: boolean;
  stream: RowStream | undefined;
}

export interface KeyRead {
  /** Nobody waits any more: the calls are ended at the server too, and nothing more is told but `onOver`. */
  cancel(): void;
}

export function startKeyRead(deps: KeyReadDeps, ask: KeyReadAsk, events: KeyReadEvents): KeyRead {
  const { channels, hedgeDelay, hedgeProfile, localCluster, budget, clock, random, observer } = deps;
  const silentAtMs = clock.monotonicNow() + (ask.deadlineAtMs - clock.monotonicNow()) * SILENT_SHARE;
  const missing = new Set(ask.keys);
  const attempts = new Set<Attempt>();
  let failuresInARow = 0;
  let cancelTimer = (): void => {};
  let isSlow = false;
  let isOver = false;
  let wasHedged = false;
  let denials = 0;
  let localError: EarshotError | undefined;

  const nextRoute = (): Route => (hedgeProfile === undefined || localCluster.isUp() ? 'local' : 'failover');

  function makeRequest(route: Route, keys: readonly string[]): ReadRowsRequest {
    return {
      tableName: ask.tableName,
      appProfileId: (route === 'local' ? deps.appProfile : hedgeProfile) ?? null,
      rows: { rowKeys: keys.map((key) => Buffer.from(key, 'latin1')) },
      filter: ask.filter,
    };
  }

  function start(route: Route): void {
    const keys = [...missing];
    const attempt: Attempt = {
      route,
      keys,
      startedAtMs: clock.monotonicNow(),
      cursor: 0,
      hasProgressed: false,
      stream: undefined,
    };
    attempts.add(attempt);
    observer.onCall(keys.length);
    if (route === 'failover') observer.onFailover(keys.length);
    attempt.stream = openRowStream(
      channels,
      makeRequest(route, keys),
      Math.max(1, ask.deadlineAtMs - attempt.startedAtMs),
      {
        onRow: (row) => take(attempt, row.key.toString('latin1'), row),
        onScanned: (key) => take(attempt, key, undefined),
        onEnd: (error) => (error === undefined ? complete(attempt) : fail(attempt, error)),
      },
    );
  }

  /** All keys up to `key` are known now: this one to have `row`, or none, those before it to have none. Rows that nobody asked for are passed over. */
  function take(attempt: Attempt, key: string, row: Row | undefined): void {
    attempt.hasProgressed = true;
    for (; attempt.cursor < attempt.keys.length && !isOver; attempt.cursor++) {
      const next = attempt.keys[attempt.cursor] as string;
      if (next > key) return;
      settle(attempt, next, next === key ? row : undefined);
    }
  }

  function complete(attempt: Attempt): void {
    if (isOver) return;
    observe(attempt);
    for (const key of attempt.keys.slice(attempt.cursor)) {
      if (isOver) return;
      settle(attempt, key, undefined);
    }
  }

  function settle(attempt: Attempt, key: string, row: Row | undefined): void {
    if (!missing.delete(key)) return;
    events.onKey(key, row);
    if (missing.size > 0 || isOver) return;
    if (wasHedged) observer.onHedge(attempt.route === 'hedge' ? 'won' : 'lost');
    over(attempt);
  }

  function fail(attempt: Attempt, error: EarshotError): void {
    if (isOver) return;
    observe(attempt, error);
    // The other one may still bring what is missing.
    if (attempts.size > 0) return;
    failuresInARow = attempt.hasProgressed ? 1 : failuresInARow + 1;
    const next = routeAfter(attempt, error);
    if (attempt.route === 'local') localError = error;
    const isFailover = next === 'failover' && attempt.route === 'local';
    const backoffMs = isFailover ? 0 : random() * BACKOFF_MS * 2 ** (failuresInARow - 1);
    const mayBegin =
      failuresInARow <= deps.maxRetries && clock.monotonicNow() + backoffMs < ask.deadlineAtMs && !channels.isClosed();
    const isFree = isFailover && !localCluster.isUp();
    if (next === undefined || !mayBegin || !(isFree || budget.tryWithdraw(missing.size))) {
      giveUp(isMisled(attempt, error) ? (localError ?? error) : error);
      return;
    }
    observer.onRetry();
    cancelTimer();
    if (isFailover) restart(next);
    else cancelTimer = clock.setTimeout(() => restart(next), backoffMs);
  }

  /** Where what a call failed is asked for next; undefined when nowhere. */
  function routeAfter(attempt: Attempt, error: EarshotError): Route | undefined {
    if (isMisled(attempt, error)) return 'local';
    if (!error.retryable || error.code === 'overloaded') return undefined;
    const isCancelled = attempt.route === 'local' && !attempt.hasProgressed && isAway(error);
    return isCancelled && hedgeProfile !== undefined ? 'failover' : nextRoute();
  }

  function restart(route: Route): void {
    start(route);
    watch();
  }

  function giveUp(error: EarshotError): void {
    if (wasHedged) observer.onHedge('lost');
    events.onFailed([...missing], error);
    over();
  }

  /** After the time that calls take at most, mostly: lets others go ahead, and asks a second time if that may be. */
  function watch(): void {
    cancelTimer();
    cancelTimer = clock.setTimeout(
      () => {
        if (!isSlow) {
          isSlow = true;
          events.onSlow();
        }
        if (hedgeProfile === undefined || wasHedged) return;
        if (hedgeDelay.isMeasured(ask.keys.length)) hedge();
        else cancelTimer = clock.setTimeout(hedgeIfSilent, Math.max(0, silentAtMs - clock.monotonicNow()));
      },
      hedgeDelay.delayMs(ask.keys.length, budget.level()) * 2 ** denials,
    );
  }

  function hedge(): void {
    const isOutAtEjected = !localCluster.isUp() && [...attempts].some(({ route }) => route === 'local');
    if (isOutAtEjected || budget.tryWithdraw(missing.size)) {
      wasHedged = true;
      start('hedge');
    } else {
      if (denials++ === 0) observer.onHedge('denied');
      watch();
    }
  }

  function hedgeIfSilent(): void {
    if (missing.size === ask.keys.length) hedge();
  }

  /** What a call says of the local cluster, where there is another way. */
  function judge({ keys, hasProgressed }: Attempt, latencyMs: number, error: EarshotError | undefined): void {
    if (hasProgressed || (error === undefined && !isOver)) localCluster.answered();
    else if (error === undefined || isAway(error)) localCluster.failed();
    // Whoever let go of it may have had little time: only silence that is longer than calls take says something.
    else if (error.code === 'deadline_exceeded' && latencyMs >= hedgeDelay.delayMs(keys.length, 1))
      localCluster.failed();
  }

  function observe(attempt: Attempt, error?: EarshotError): void {
    const latencyMs = clock.monotonicNow() - attempt.startedAtMs;
    const { keys, route } = attempt;
    if (route === 'local' && hedgeProfile !== undefined) judge(attempt, latencyMs, error);
    // One that was let go of took at least as long.
    if (route !== 'hedge' && (error === undefined || isOver)) hedgeDelay.observe(keys.length, latencyMs);
    observer.onCallEnd({ keys: keys.length, latencyMs, ...(error === undefined ? {} : { error }) });
    attempts.delete(attempt);
  }

  /** The attempt that brought the last key ends by itself; the others are cancelled. Without one nobody waits any more. */
  function over(winner?: Attempt): void {
    if (isOver) return;
    isOver = true;
    cancelTimer();
    for (const attempt of attempts) {
      if (attempt !== winner) attempt.stream?.cancel();
      observe(attempt, winner === undefined ? abandoned() : undefined);
    }
    events.onOver();
  }

  function probeLocal(): void {
    const settle = localCluster.takeProbe();
    if (settle !== undefined) probe(channels, clock, makeRequest('local', ask.keys.slice(0, 1)), settle);
  }

  budget.deposit(ask.keys.length);
  start(nextRoute());
  watch();
  if (hedgeProfile !== undefined) probeLocal();
  return { cancel: () => over() };
}

/** The other profile is not there, or may not be used: it is as if there were none, and its error says nothing of the cluster. */
const isMisled = ({ route }: Attempt, error: EarshotError): boolean => route === 'failover' && !error.retryable;

/** The cluster says that it is not there; `unavailable` is also said of what has nothing to do with it. */
const isAway = ({ cause }: EarshotError): boolean => grpcCodeOf(cause) === UNAVAILABLE;

const abandoned = (): EarshotError =>
  new EarshotError('deadline_exceeded', 'table', 'ReadRows was let go of: nobody waits for it any more');
