// Reads that wait, foreground before background and each in the order in which they came. Whoever is in it is in it once, and counted.
import type { Priority } from './shed-error.ts';

export interface Waiter {
  readonly priority: Priority;
  readonly weight: number;
}

export interface WaitQueue<T extends Waiter> {
  add(waiter: T): void;
  /** False if it was not there any more. */
  remove(waiter: T): boolean;
  first(): T | undefined;
  firstBackground(): T | undefined;
  /** Keys that a read of this priority, arriving now, would have before it. */
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
