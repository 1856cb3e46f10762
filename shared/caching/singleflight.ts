// Request coalescing: one load per key at a time. Callers of the same key follow the load instead of starting another.
// Followers share plain data; no object of the leader's request may be in it. The load continues while one caller
// waits, and is cancelled with the last one.
//
// A failed load, as a race: (1) L leads, A and B follow; (2) L's load fails and wakes A and B; (3) A finds no load and
// leads a second attempt; (4) B finds A's load and follows it; (5) if it fails too, A and B get the failure. A failure
// of the leader alone (its deadline, its connection) costs one more load. A failure of the source does not cost one
// load per follower.
import type { Clock } from '../runtime/clock.ts';
import { CallerCancelled, type Cancellation, CancellationSource } from './cancellation.ts';

export interface Shared<T> {
  readonly value: T;
  /** Whether another caller led the load. */
  readonly isCollapsed: boolean;
}

/** A load in flight, as its loader sees it. It is cancelled when no caller waits; then no caller can join it. */
export interface Lead extends Cancellation {
  /** Whether no later load of the key has replaced this one. */
  isCurrent(): boolean;
  /** The latest moment at which a caller that joined stops waiting. Grows when a caller joins. */
  waitedForUntilMs(): number;
}

/** A load that its leader ends with exactly one call of `resolve` or `reject`. */
export interface OwnLead<T> extends Lead {
  /** The leader stops waiting. Call it at most once. */
  abandon(): void;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export interface Flight<T> {
  /** Starts the load. Only a leader calls it. */
  readonly load: (lead: Lead) => Promise<T>;
  /** Maximum wait of a follower in milliseconds. The load continues after it, if another caller waits. */
  readonly waitTimeoutMs: number;
  /** The same for a caller that leads. Default: it waits for the end of its load. */
  readonly leadTimeoutMs?: number;
  /**
   * A load that started before this moment is not joined: it may have read data from before a change. Default: any load
   * is joined.
   */
  readonly notBeforeMs?: number;
  /** Whether a follower may use the leader's value. If not, the follower starts again. Default: always. */
  readonly accepts?: (value: T) => boolean;
  /**
   * Cancels this caller. A cancelled follower rejects with CallerCancelled; a cancelled leader still gets its value.
   * Default: never.
   */
  readonly cancellation?: Cancellation | undefined;
  /** Keeps the load alive when its caller has gone. */
  readonly keepAlive: (load: Promise<unknown>) => void;
}

/** `K` is the type of its keys, so that a load of lists is keyed by a CacheKey and by no other text. */
export interface Singleflight<T, K extends string> {
  /**
   * The value of `key`, loaded once for all concurrent callers. Rejects with the error of the load, with a WaitOver for
   * a caller whose wait is over, and with CallerCancelled for a cancelled follower.
   */
  run(key: K, flight: Flight<T>): Promise<Shared<T>>;
  /**
   * Starts a load of `key` that others may join, for a leader of many keys. Undefined when a load can be joined instead
   * (see `has`).
   */
  lead(key: K, notBeforeMs?: number): OwnLead<T> | undefined;
  /** Whether a load of `key` that started at `notBeforeMs` or later is in flight and can be joined. */
  has(key: K, notBeforeMs?: number): boolean;
  /** Number of loads in flight. */
  size(): number;
}

/** A caller's wait is over. The load may continue for others. */
export class WaitOver extends Error {
  override readonly name = 'WaitOver';
}

export interface SingleflightOptions<T> {
  readonly clock: Clock;
  /** Age in milliseconds beyond which a load is not joined: the runtime may have ended its leader's request. */
  readonly ageTimeoutMs: number;
  /** Whether a value is a failure that followers should retry. Default: only rejections are failures. */
  readonly isFailure?: (value: T) => boolean;
}

/**
 * One load of one key. It creates a promise for followers only when one joins, and references nothing after its end: V8
 * keeps outgrown Map tables, and all that they reference, until a major collection (docs/decisions/0019).
 */
class Attempt<T> implements OwnLead<T> {
  readonly startedAtMs: number;
  /** 1, or 2 after a failure. */
  readonly number: number;
  readonly #key: string;
  readonly #attempts: Map<string, Attempt<T>>;
  readonly #cancellation = new CancellationSource();
  #outcome: PromiseWithResolvers<T> | undefined;
  /** Callers that wait, the leader included. */
  #waiters = 1;
  #waitedForUntilMs = 0;
  #isCurrent = true;

  constructor(attempts: Map<string, Attempt<T>>, key: string, startedAtMs: number, number: number) {
    this.startedAtMs = startedAtMs;
    this.number = number;
    this.#key = key;
    this.#attempts = attempts;
    // A load that was not joined must not be stored either.
    const replaced = attempts.get(key);
    if (replaced !== undefined) replaced.#isCurrent = false;
    attempts.set(key, this);
  }

  isCurrent(): boolean {
    return this.#isCurrent;
  }

  isCancelled(): boolean {
    return this.#cancellation.isCancelled();
  }

  onCancel(listener: () => void): () => void {
    return this.#cancellation.onCancel(listener);
  }

  waitedForUntilMs(): number {
    return this.#waitedForUntilMs;
  }

  /** A caller waits for this load until `untilMs`. */
  extend(untilMs: number): void {
    this.#waitedForUntilMs = Math.max(this.#waitedForUntilMs, untilMs);
  }

  join(untilMs: number): Promise<T> {
    this.#waiters++;
    this.extend(untilMs);
    this.#outcome ??= Promise.withResolvers<T>();
    return this.#outcome.promise;
  }

  abandon(): void {
    if (--this.#waiters > 0) return;
    this.#endJoining();
    this.#cancellation.cancel();
  }

  resolve(value: T): void {
    this.#endJoining();
    this.#cancellation.removeListeners();
    this.#outcome?.resolve(value);
  }

  reject(error: unknown): void {
    this.#endJoining();
    this.#cancellation.removeListeners();
    this.#outcome?.reject(error);
  }

  #endJoining(): void {
    if (this.#attempts.get(this.#key) === this) this.#attempts.delete(this.#key);
  }
}

const MAX_ATTEMPTS = 2;

export function createSingleflight<T, K extends string>(options: SingleflightOptions<T>): Singleflight<T, K> {
  const { clock, ageTimeoutMs, isFailure = () => false } = options;
  const attempts = new Map<string, Attempt<T>>();

  function findJoinable(key: string, notBeforeMs: number): Attempt<T> | undefined {
    const attempt = attempts.get(key);
    if (attempt === undefined || attempt.startedAtMs < notBeforeMs) return undefined;
    return clock.now() - attempt.startedAtMs < ageTimeoutMs ? attempt : undefined;
  }

  const startAttempt = (key: string, number: number): Attempt<T> => new Attempt(attempts, key, clock.now(), number);

  async function follow(
    attempt: Attempt<T>,
    untilMs: number,
    cancellation: Cancellation | undefined,
  ): Promise<{ value: T } | 'failed'> {
    const isLast = attempt.number >= MAX_ATTEMPTS;
    try {
      const value = await waitForOutcome(clock, attempt.join(untilMs), untilMs - clock.now(), cancellation);
      return isFailure(value) && !isLast ? 'failed' : { value };
    } catch (error) {
      const hasStoppedWaiting = error instanceof WaitOver || error instanceof CallerCancelled;
      if (hasStoppedWaiting) attempt.abandon();
      if (isLast || hasStoppedWaiting) throw error;
      return 'failed';
    }
  }

  return {
    run: async (key, flight) => {
      const untilMs = clock.now() + flight.waitTimeoutMs;
      // A follower that leads after a failure has no more time than at its call.
      const leadUntilMs = clock.now() + (flight.leadTimeoutMs ?? Number.POSITIVE_INFINITY);
      const { notBeforeMs = 0, accepts = () => true, cancellation } = flight;
      let failedNumber = 0;
      while (true) {
        if (cancellation?.isCancelled()) throw new CallerCancelled();
        // A caller without time would lead a load that fails at once, and its followers would share the failure.
        if (failedNumber > 0 && clock.now() >= untilMs) throw new WaitOver('the time was over before a second load');
        const attempt = findJoinable(key, notBeforeMs);
        if (attempt === undefined)
          return {
            value: await runLead(clock, startAttempt(key, failedNumber + 1), flight, leadUntilMs),
            isCollapsed: false,
          };
        const followed = await follow(attempt, untilMs, cancellation);
        if (followed === 'failed') failedNumber = attempt.number;
        else if (accepts(followed.value)) return { ...followed, isCollapsed: true };
      }
    },
    lead: (key, notBeforeMs = 0) => (findJoinable(key, notBeforeMs) === undefined ? startAttempt(key, 1) : undefined),
    has: (key, notBeforeMs = 0) => findJoinable(key, notBeforeMs) !== undefined,
    size: () => attempts.size,
  };
}

/** The leader's own wait, which does not bind the load: followers may have more time. */
async function runLead<T>(clock: Clock, attempt: Attempt<T>, flight: Flight<T>, untilMs: number): Promise<T> {
  attempt.extend(untilMs);
  const { outcome, abandon } = startLead(attempt, flight);
  if (untilMs === Number.POSITIVE_INFINITY) return outcome;
  try {
    return await waitForOutcome(clock, outcome, untilMs - clock.now(), undefined);
  } catch (error) {
    if (error instanceof WaitOver) abandon();
    throw error;
  }
}

function startLead<T>(attempt: Attempt<T>, { load, keepAlive, cancellation }: Flight<T>) {
  const removeListener = cancellation?.onCancel(() => attempt.abandon());
  const outcome = load(attempt);
  const ended = outcome.then(
    (value) => {
      removeListener?.();
      attempt.resolve(value);
    },
    (error) => {
      removeListener?.();
      attempt.reject(error);
    },
  );
  keepAlive(ended);
  const abandon = (): void => {
    removeListener?.();
    if (cancellation?.isCancelled() !== true) attempt.abandon();
  };
  return { outcome, abandon };
}

async function waitForOutcome<T>(
  clock: Clock,
  outcome: Promise<T>,
  timeoutMs: number,
  cancellation: Cancellation | undefined,
): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const timeout = (): void => reject(new WaitOver(`the load took longer than ${timeoutMs} ms`));
  const cancelTimer = clock.setTimeout(timeout, timeoutMs);
  const removeListener = cancellation?.onCancel(() => reject(new CallerCancelled()));
  try {
    return await Promise.race([outcome, end]);
  } finally {
    cancelTimer();
    removeListener?.();
  }
}
