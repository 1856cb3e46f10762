// Coalescing: while one load of a key is under way, whoever else asks for it waits for its outcome instead of loading too. What is shared
// is plain data; nothing that belongs to the leader's request may be in it.
// It goes on for whoever is left when some have gone, the leader among them; with the last one it is abandoned.
//
// A flight that fails, as a race: (1) L leads, A and B follow; (2) L's load fails, A and B wake; (3) A finds no flight and leads the second
// attempt; (4) B finds A's flight and follows it; (5) when that fails too, A and B have the failure. So a failure that was the leader's
// own (its deadline, its connection) costs one more load, and one that is everybody's does not become as many loads as there are followers.
import type { Clock } from '../runtime/clock.ts';
import { CallerGone, OwnPresence, type Presence } from './cancellation.ts';

export interface Shared<T> {
  readonly value: T;
  /** Whether the value was loaded for somebody else. */
  readonly isCollapsed: boolean;
}

/** A load that is under way, for the one who makes it. Gone when nobody waits for it any more; then nobody joins it either. */
export interface Lead extends Presence {
  /** Whether no later load of the key has taken the place of this one. */
  isCurrent(): boolean;
}

/** A load that ends with exactly one call of `end` or `fail`. */
export interface OwnLead<T> extends Lead {
  /** The one who makes it does not wait for it any more; to be called once at most. */
  leave(): void;
  end(value: T): void;
  fail(error: unknown): void;
}

export interface Flight<T> {
  /** Called by the leader only. */
  readonly load: (lead: Lead) => Promise<T>;
  /** How long a follower waits before it leaves; the flight goes on. */
  readonly waitTimeoutMs: number;
  /** A load that began before this moment is not joined: it may have seen what has changed since. Default: any is joined. */
  readonly notBeforeMs?: number;
  /** Whether what was loaded for another will do; if not, it is as if nothing had been loaded. Default: it will. */
  readonly accepts?: (value: T) => boolean;
  /** Of the one who asks: a follower who has gone is rejected with CallerGone, a leader still has what its load brings. Default: stays. */
  readonly presence?: Presence | undefined;
  /** Keeps the load going when the one who asked for it has gone. */
  readonly keepAlive: (load: Promise<unknown>) => void;
}

export interface Singleflight<T> {
  /**
   * The value of `key`, loaded once for all who ask while the load is under way. Rejects with what the load rejects with, and with a
   * FollowerTimeout for a follower whose time is up, and with CallerGone for one who has gone.
   */
  run(key: string, flight: Flight<T>): Promise<Shared<T>>;
  /** For one who loads many keys at once: a load of `key` that others may join, unless there is one that `has` tells of. */
  lead(key: string, notBeforeMs?: number): OwnLead<T> | undefined;
  /** Whether a load of `key` is under way that began at `notBeforeMs` or later and would be joined. */
  has(key: string, notBeforeMs?: number): boolean;
  /** How many loads are under way. */
  size(): number;
}

export class FollowerTimeout extends Error {
  override readonly name = 'FollowerTimeout';
}

export interface SingleflightOptions<T> {
  readonly clock: Clock;
  /** A load that has been under way for longer is not joined any more: its leader may have been cut off without a word. */
  readonly ageTimeoutMs: number;
  /** Whether a value is a failure that followers should not be content with. Default: none is, only what rejects. */
  readonly isFailure?: (value: T) => boolean;
}

/**
 * Of each key of a read there is one: no promise is made for followers unless there are some, and once it is over nothing can be reached from it. V8
 * keeps the tables that a Map has outgrown, and all that is in them, until a major collection (docs/decisions/0019).
 */
class Attempt<T> implements OwnLead<T> {
  readonly startedAtMs: number;
  /** 1, or 2 for the one that follows a failure. */
  readonly number: number;
  readonly #key: string;
  readonly #attempts: Map<string, Attempt<T>>;
  readonly #presence = new OwnPresence();
  #outcome: PromiseWithResolvers<T> | undefined;
  /** Those who wait for it, the leader among them. */
  #waiting = 1;
  #isCurrent = true;

  constructor(attempts: Map<string, Attempt<T>>, key: string, startedAtMs: number, number: number) {
    this.startedAtMs = startedAtMs;
    this.number = number;
    this.#key = key;
    this.#attempts = attempts;
    // Whatever of this key is still under way was not to be joined, so it is not to be kept either.
    const overtaken = attempts.get(key);
    if (overtaken !== undefined) overtaken.#isCurrent = false;
    attempts.set(key, this);
  }

  isCurrent(): boolean {
    return this.#isCurrent;
  }

  isGone(): boolean {
    return this.#presence.isGone();
  }

  onGone(leave: () => void): () => void {
    return this.#presence.onGone(leave);
  }

  join(): Promise<T> {
    this.#waiting++;
    this.#outcome ??= Promise.withResolvers<T>();
    return this.#outcome.promise;
  }

  leave(): void {
    if (--this.#waiting > 0) return;
    this.#endJoining();
    this.#presence.leave();
  }

  end(value: T): void {
    this.#endJoining();
    this.#presence.settle();
    this.#outcome?.resolve(value);
  }

  fail(error: unknown): void {
    this.#endJoining();
    this.#presence.settle();
    this.#outcome?.reject(error);
  }

  #endJoining(): void {
    if (this.#attempts.get(this.#key) === this) this.#attempts.delete(this.#key);
  }
}

const MAX_ATTEMPTS = 2;

export function createSingleflight<T>(options: SingleflightOptions<T>): Singleflight<T> {
  const { clock, ageTimeoutMs, isFailure = () => false } = options;
  const attempts = new Map<string, Attempt<T>>();

  function findJoinable(key: string, notBeforeMs: number): Attempt<T> | undefined {
    const attempt = attempts.get(key);
    if (attempt === undefined || attempt.startedAtMs < notBeforeMs) return undefined;
    return clock.now() - attempt.startedAtMs < ageTimeoutMs ? attempt : undefined;
  }

  const begin = (key: string, number: number): Attempt<T> => new Attempt(attempts, key, clock.now(), number);

  function lead(key: string, { load, keepAlive, presence }: Flight<T>, number: number): Promise<T> {
    const attempt = begin(key, number);
    const forget = presence?.onGone(() => attempt.leave());
    const outcome = load(attempt);
    const ended = outcome.then(
      (value) => {
        forget?.();
        attempt.end(value);
      },
      (error) => {
        forget?.();
        attempt.fail(error);
      },
    );
    keepAlive(ended);
    return outcome;
  }

  async function follow(
    attempt: Attempt<T>,
    untilMs: number,
    presence: Presence | undefined,
  ): Promise<{ value: T } | 'failed'> {
    const isLast = attempt.number >= MAX_ATTEMPTS;
    try {
      const value = await whileWaiting(attempt.join(), untilMs - clock.now(), presence);
      return isFailure(value) && !isLast ? 'failed' : { value };
    } catch (error) {
      const hasLeft = error instanceof FollowerTimeout || error instanceof CallerGone;
      if (hasLeft) attempt.leave();
      if (isLast || hasLeft) throw error;
      return 'failed';
    }
  }

  async function whileWaiting(outcome: Promise<T>, timeoutMs: number, presence: Presence | undefined): Promise<T> {
    let cancel = (): void => {};
    const end = new Promise<never>((_, reject) => {
      const cancelTimer = clock.setTimeout(
        () => reject(new FollowerTimeout(`the load took longer than ${timeoutMs} ms`)),
        timeoutMs,
      );
      const forget = presence?.onGone(() => reject(new CallerGone()));
      cancel = () => {
        cancelTimer();
        forget?.();
      };
    });
    try {
      return await Promise.race([outcome, end]);
    } finally {
      cancel();
    }
  }

  return {
    run: async (key, flight) => {
      const untilMs = clock.now() + flight.waitTimeoutMs;
      const { notBeforeMs = 0, accepts = () => true, presence } = flight;
      let failed = 0;
      while (true) {
        if (presence?.isGone()) throw new CallerGone();
        const attempt = findJoinable(key, notBeforeMs);
        if (attempt === undefined) return { value: await lead(key, flight, failed + 1), isCollapsed: false };
        const followed = await follow(attempt, untilMs, presence);
        if (followed === 'failed') failed = attempt.number;
        else if (accepts(followed.value)) return { ...followed, isCollapsed: true };
      }
    },
    lead: (key, notBeforeMs = 0) => (findJoinable(key, notBeforeMs) === undefined ? begin(key, 1) : undefined),
    has: (key, notBeforeMs = 0) => findJoinable(key, notBeforeMs) !== undefined,
    size: () => attempts.size,
  };
}
