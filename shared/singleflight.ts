// Coalescing: while one load of a key is under way, whoever else asks for it waits for its outcome instead of loading too. What is shared
// is plain data; nothing that belongs to the leader's request may be in it.
//
// A flight that fails, as a race: (1) L leads, A and B follow; (2) L's load fails, A and B wake; (3) A finds no flight and leads the second
// attempt; (4) B finds A's flight and follows it; (5) when that fails too, A and B have the failure. So a failure that was the leader's
// own (its deadline, its connection) costs one more load, and one that is everybody's does not become as many loads as there are followers.
import type { Clock } from './clock.ts';

export interface Shared<T> {
  readonly value: T;
  /** Whether the value was loaded for somebody else. */
  readonly isCollapsed: boolean;
}

export interface Flight<T> {
  /** Called by the leader only. `isCurrent` tells, at any time, whether no later load of the key has taken the place of this one. */
  readonly load: (isCurrent: () => boolean) => Promise<T>;
  /** How long a follower waits before it leaves; the flight goes on. */
  readonly waitTimeoutMs: number;
  /** A load that began before this moment is not joined: it may have seen what has changed since. Default: any is joined. */
  readonly notBeforeMs?: number;
  /** Whether what was loaded for another will do; if not, it is as if nothing had been loaded. Default: it will. */
  readonly accepts?: (value: T) => boolean;
  /** Keeps the load going when the one who asked for it has gone. */
  readonly keepAlive: (load: Promise<unknown>) => void;
}

export interface Singleflight<T> {
  /**
   * The value of `key`, loaded once for all who ask while the load is under way. Rejects with what the load rejects with, and with a
   * FollowerTimeout for a follower whose time is up.
   */
  run(key: string, flight: Flight<T>): Promise<Shared<T>>;
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

interface Attempt<T> {
  readonly outcome: Promise<T>;
  readonly startedAtMs: number;
  /** 1, or 2 for the one that follows a failure. */
  readonly number: number;
  readonly overtake: () => void;
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

  function lead(key: string, { load, keepAlive }: Flight<T>, number: number): Promise<T> {
    // Whatever of this key is still under way was not to be joined, so it is not to be kept either.
    attempts.get(key)?.overtake();
    let isCurrent = true;
    const startedAtMs = clock.now();
    const outcome = load(() => isCurrent).finally(() => {
      if (attempts.get(key) === attempt) attempts.delete(key);
    });
    const overtake = (): void => {
      isCurrent = false;
    };
    const attempt: Attempt<T> = { outcome, startedAtMs, number, overtake };
    attempts.set(key, attempt);
    keepAlive(outcome.catch(() => undefined));
    return outcome;
  }

  async function follow({ outcome, number }: Attempt<T>, untilMs: number): Promise<{ value: T } | 'failed'> {
    const isLast = number >= MAX_ATTEMPTS;
    try {
      const value = await withinTime(outcome, untilMs - clock.now());
      return isFailure(value) && !isLast ? 'failed' : { value };
    } catch (error) {
      if (isLast || error instanceof FollowerTimeout) throw error;
      return 'failed';
    }
  }

  async function withinTime(outcome: Promise<T>, timeoutMs: number): Promise<T> {
    let cancel = (): void => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = clock.setTimeout(
        () => reject(new FollowerTimeout(`the load took longer than ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([outcome, timeout]);
    } finally {
      cancel();
    }
  }

  return {
    run: async (key, flight) => {
      const untilMs = clock.now() + flight.waitTimeoutMs;
      const { notBeforeMs = 0, accepts = () => true } = flight;
      let failed = 0;
      while (true) {
        const attempt = findJoinable(key, notBeforeMs);
        if (attempt === undefined) return { value: await lead(key, flight, failed + 1), isCollapsed: false };
        const followed = await follow(attempt, untilMs);
        if (followed === 'failed') failed = attempt.number;
        else if (accepts(followed.value)) return { ...followed, isCollapsed: true };
      }
    },
    has: (key, notBeforeMs = 0) => findJoinable(key, notBeforeMs) !== undefined,
    size: () => attempts.size,
  };
}
