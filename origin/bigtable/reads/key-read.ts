// Reads keys of a table under one filter, through failures. A key is answered as soon as it is known: its row came, or
// the stream has passed its place. Retries, hedges and failovers read the missing keys alone.
//
// A hedge, as a race: (1) the call takes longer than 95 of 100 calls; (2) the missing keys are read through the other
// app profile; (3) the first answer of each key counts; (4) with the last key the slower call is cancelled. Source:
// Dean and Barroso, "The Tail at Scale", CACM 2013. Failover: keys that an unavailable local cluster failed are read
// through the other profile. While the cluster is ejected, all keys are.
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { RetryBudget } from '../../../shared/runtime/retry-budget.ts';
import type { EarshotError } from '../../../shared/wire/errors.ts';
import type { Row } from '../chunk-merger.ts';
import type { LocalCluster } from '../local-cluster.ts';
import { type Attempt, createAttempt, type KeyQuery, makeCancelledError, makeRequest } from './attempt.ts';
import type { CallObserver } from './call-observer.ts';
import type { ReadChannels } from './channels.ts';
import type { HedgeDelay } from './hedge-delay.ts';
import { probe } from './probe.ts';
import { firstRoute, isProfileFault, localVerdict, type Route, routeAfter } from './route.ts';
import { openRowStream } from './row-stream.ts';

export interface KeyReadEvents {
  /** Once per key, unless `onFailed` comes first. Undefined: no such row, or no cell of it passed the filter. */
  onKey(key: string, row: Row | undefined): void;
  /** The keys that were missing at the final failure. */
  onFailed(keys: readonly string[], error: EarshotError): void;
  /** The read takes unusually long and should not delay others. At most once, before `onOver`. */
  onSlow(): void;
  /** The last event. */
  onOver(): void;
}

export interface KeyReadDeps {
  readonly channels: ReadChannels;
  readonly appProfile: string;
  /** App profile of hedges and failovers. Undefined: neither. */
  readonly hedgeProfile: string | undefined;
  readonly localCluster: LocalCluster;
  readonly hedgeDelay: HedgeDelay;
  readonly budget: RetryBudget;
  /** Maximum number of retries in a row without progress. */
  readonly maxRetries: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: CallObserver;
}

/** The first back-off is up to this long; each further one up to twice as long. */
const BACKOFF_MS = 10;
/** A call that returned nothing in this share of its time is hedged, also before latencies are known. */
const SILENT_SHARE = 0.6;

export class KeyRead {
  readonly #deps: KeyReadDeps;
  readonly #query: KeyQuery;
  readonly #events: KeyReadEvents;
  readonly #silentAtMs: number;
  readonly #missing: Set<string>;
  readonly #attempts = new Set<Attempt>();
  #failuresInARow = 0;
  #cancelTimer = (): void => {};
  #isSlow = false;
  #isOver = false;
  #wasHedged = false;
  #denials = 0;
  #localError: EarshotError | undefined;

  /** Starts the read. */
  constructor(deps: KeyReadDeps, query: KeyQuery, events: KeyReadEvents) {
    this.#deps = deps;
    this.#query = query;
    this.#events = events;
    const nowMs = deps.clock.monotonicNow();
    this.#silentAtMs = nowMs + (query.deadlineAtMs - nowMs) * SILENT_SHARE;
    this.#missing = new Set(query.keys);
    deps.budget.deposit(query.keys.length);
    this.#startAndWatch(firstRoute(this.#hasOtherProfile(), deps.localCluster.isUp()));
    if (this.#hasOtherProfile()) this.#probeLocal();
  }

  /** Cancels the calls, at the server too. Only `onOver` follows. */
  cancel(): void {
    this.#endRead();
  }

  #hasOtherProfile(): boolean {
    return this.#deps.hedgeProfile !== undefined;
  }

  #appProfileOf(route: Route): string | undefined {
    return route === 'local' ? this.#deps.appProfile : this.#deps.hedgeProfile;
  }

  #startAttempt(route: Route): void {
    const { channels, clock, observer } = this.#deps;
    const keys = [...this.#missing];
    const startedAtMs = clock.monotonicNow();
    const end = observer.onCall({ keys: keys.length, route, traces: this.#query.traces ?? [] });
    const attempt = createAttempt(route, keys, startedAtMs, end);
    this.#attempts.add(attempt);
    if (route === 'failover') observer.onFailover(keys.length);
    const timeoutMs = Math.max(1, this.#query.deadlineAtMs - startedAtMs);
    attempt.stream = openRowStream(channels, makeRequest(this.#query, this.#appProfileOf(route), keys), timeoutMs, {
      onRow: (row) => this.#applyScan(attempt, row.key.toString('latin1'), row),
      onScanned: (key) => this.#applyScan(attempt, key, undefined),
      onEnd: (error) => (error === undefined ? this.#complete(attempt) : this.#handleFailure(attempt, error)),
    });
  }

  /** All keys up to `key` are known: this one has `row`, the earlier ones have none. Other rows are ignored. */
  #applyScan(attempt: Attempt, key: string, row: Row | undefined): void {
    attempt.hasProgressed = true;
    for (; attempt.cursor < attempt.keys.length && !this.#isOver; attempt.cursor++) {
      const next = attempt.keys[attempt.cursor] as string;
      if (next > key) return;
      this.#settleKey(attempt, next, next === key ? row : undefined);
    }
  }

  #complete(attempt: Attempt): void {
    if (this.#isOver) return;
    this.#endAttempt(attempt);
    for (let at = attempt.cursor; at < attempt.keys.length && !this.#isOver; at++)
      this.#settleKey(attempt, attempt.keys[at] as string, undefined);
  }

  #settleKey(attempt: Attempt, key: string, row: Row | undefined): void {
    if (!this.#missing.delete(key)) return;
    this.#events.onKey(key, row);
    if (this.#missing.size > 0 || this.#isOver) return;
    if (this.#wasHedged) this.#deps.observer.onHedge(attempt.route === 'hedge' ? 'won' : 'lost');
    this.#endRead(attempt);
  }

  #handleFailure(attempt: Attempt, error: EarshotError): void {
    if (this.#isOver) return;
    this.#endAttempt(attempt, error);
    // The other attempt may still return the missing keys.
    if (this.#attempts.size > 0) return;
    const { clock, random, observer, localCluster } = this.#deps;
    this.#failuresInARow = attempt.hasProgressed ? 1 : this.#failuresInARow + 1;
    if (attempt.route === 'local') this.#localError = error;
    const route = routeAfter(attempt, error, this.#hasOtherProfile(), localCluster.isUp());
    const isFailover = route === 'failover' && attempt.route === 'local';
    const backoffMs = isFailover ? 0 : random() * BACKOFF_MS * 2 ** (this.#failuresInARow - 1);
    if (route === undefined || !this.#mayRetry(backoffMs, isFailover)) {
      this.#giveUp(isProfileFault(attempt, error) ? (this.#localError ?? error) : error);
      return;
    }
    observer.onRetry();
    this.#cancelTimer();
    if (isFailover) this.#startAndWatch(route);
    else this.#cancelTimer = clock.setTimeout(() => this.#startAndWatch(route), backoffMs);
  }

  /** Pays for the retry; a failover from an ejected cluster is free. */
  #mayRetry(backoffMs: number, isFailover: boolean): boolean {
    const { channels, clock, budget, localCluster, maxRetries } = this.#deps;
    const isInTime = clock.monotonicNow() + backoffMs < this.#query.deadlineAtMs;
    if (this.#failuresInARow > maxRetries || !isInTime || channels.isClosed()) return false;
    return (isFailover && !localCluster.isUp()) || budget.tryWithdraw(this.#missing.size);
  }

  #startAndWatch(route: Route): void {
    this.#startAttempt(route);
    this.#watch();
  }

  #giveUp(error: EarshotError): void {
    if (this.#wasHedged) this.#deps.observer.onHedge('lost');
    this.#events.onFailed([...this.#missing], error);
    this.#endRead();
  }

  /** Waits for the hedge delay. */
  #watch(): void {
    const { clock, hedgeDelay, budget } = this.#deps;
    const delayMs = hedgeDelay.delayMs(this.#query.keys.length, budget.level()) * 2 ** this.#denials;
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimeout(() => this.#handleSlow(), delayMs);
  }

  #handleSlow(): void {
    const { clock, hedgeDelay } = this.#deps;
    if (!this.#isSlow) this.#events.onSlow();
    this.#isSlow = true;
    if (!this.#hasOtherProfile() || this.#wasHedged) return;
    if (hedgeDelay.isMeasured(this.#query.keys.length)) this.#hedge();
    else {
      const untilSilentMs = this.#silentAtMs - clock.monotonicNow();
      this.#cancelTimer = clock.setTimeout(() => this.#hedgeIfSilent(), Math.max(0, untilSilentMs));
    }
  }

  #hedge(): void {
    const { localCluster, budget, observer } = this.#deps;
    const isFree = !localCluster.isUp() && [...this.#attempts].some(({ route }) => route === 'local');
    if (isFree || budget.tryWithdraw(this.#missing.size)) {
      this.#wasHedged = true;
      this.#startAttempt('hedge');
    } else {
      if (this.#denials++ === 0) observer.onHedge('denied');
      this.#watch();
    }
  }

  #hedgeIfSilent(): void {
    if (this.#missing.size === this.#query.keys.length) this.#hedge();
  }

  #endAttempt(attempt: Attempt, error?: EarshotError): void {
    const { clock, hedgeDelay } = this.#deps;
    const latencyMs = clock.monotonicNow() - attempt.startedAtMs;
    const keys = attempt.keys.length;
    if (attempt.route === 'local' && this.#hasOtherProfile()) this.#judgeLocal(attempt, error, latencyMs);
    // A cancelled call would have taken at least as long.
    if (attempt.route !== 'hedge' && (error === undefined || this.#isOver)) hedgeDelay.observe(keys, latencyMs);
    attempt.end({ latencyMs, ...(error === undefined ? {} : { error }) });
    this.#attempts.delete(attempt);
  }

  #judgeLocal(attempt: Attempt, error: EarshotError | undefined, latencyMs: number): void {
    const { hedgeDelay, localCluster } = this.#deps;
    const slowMs = (): number => hedgeDelay.delayMs(attempt.keys.length, 1);
    const verdict = localVerdict(attempt, error, this.#isOver, latencyMs, slowMs);
    if (verdict === 'answered') localCluster.recordAnswer();
    if (verdict === 'failed') localCluster.recordFailure();
  }

  /** The attempt that returned the last key ends by itself; the others are cancelled. */
  #endRead(winner?: Attempt): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    for (const attempt of this.#attempts) {
      if (attempt !== winner) attempt.stream?.cancel();
      this.#endAttempt(attempt, winner === undefined ? makeCancelledError() : undefined);
    }
    this.#events.onOver();
  }

  #probeLocal(): void {
    const { channels, clock, localCluster, appProfile } = this.#deps;
    const endProbe = localCluster.takeProbe();
    if (endProbe === undefined) return;
    probe(channels, clock, makeRequest(this.#query, appProfile, this.#query.keys.slice(0, 1)), endProbe);
  }
}
