// Queue of reads: foreground before background, each first in, first out. It counts the keys that wait.
import type { Priority } from './shed-error.ts';

export interface Waiter {
  readonly priority: Priority;
  readonly weight: number;
}

export interface WaitQueue<T extends Waiter> {
  /** Adds a waiter that is not in the queue. */
  add(waiter: T): void;
  /** Returns false if the waiter is not in the queue. */
  remove(waiter: T): boolean;
  first(): T | undefined;
  firstBackground(): T | undefined;
  /** Keys before a read of this priority that arrives now. */
  weightBefore(priority: Priority): number;
  weight(): number;
  size(): number;
}

export function createWaitQueue<T extends Waiter>(): WaitQueue<T> {
  const waiters = { foreground: new Set<T>(), background: new Set<T>() };
  const weights = { foreground: 0, background: 0 };
  const firstOf = (priority: Priority): T | undefined => waiters[priority].values().next().value;
  const weight = (): number => weights.foreground + weights.background;
  return {
    add: (waiter) => {
      waiters[waiter.priority].add(waiter);
      weights[waiter.priority] += waiter.weight;
    },
    remove: (waiter) => {
      if (!waiters[waiter.priority].delete(waiter)) return false;
      weights[waiter.priority] -= waiter.weight;
      return true;
    },
    first: () => firstOf('foreground') ?? firstOf('background'),
    firstBackground: () => firstOf('background'),
    weightBefore: (priority) => (priority === 'foreground' ? weights.foreground : weight()),
    weight,
    size: () => waiters.foreground.size + waiters.background.size,
  };
}
