// Keys that were seen within a bounded time, at most `maxKeys` of them: the oldest are forgotten first.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface Recent {
  has(key: string): boolean;
  add(key: string): void;
}

interface RecentOptions {
  readonly clock: Clock;
  readonly forMs: number;
  readonly maxKeys: number;
}

export function createRecent({ clock, forMs, maxKeys }: RecentOptions): Recent {
  /** In the order of insertion, which is that of time. */
  const seen = new Map<string, number>();
  return {
    has: (key) => clock.now() - (seen.get(key) ?? Number.NEGATIVE_INFINITY) < forMs,
    add: (key) => {
      seen.delete(key);
      seen.set(key, clock.now());
      const [oldest] = seen.keys();
      if (seen.size > maxKeys && oldest !== undefined) seen.delete(oldest);
    },
  };
}
