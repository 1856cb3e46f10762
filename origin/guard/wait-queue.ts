// Queue of reads: foreground before background, each first in, first out. It counts the keys that wait.
import type { Priority } from './shed-error.ts';

export interface Waiter {
  readonly priority: Priority;
  readonly weight: number;
}

export class WaitQueue<T extends Waiter> {
  readonly #waiters = { foreground: new Set<T>(), background: new Set<T>() };
  readonly #weights = { foreground: 0, background: 0 };

  /** Adds a waiter that is not in the queue. */
  add(waiter: T): void {
    this.#waiters[waiter.priority].add(waiter);
    this.#weights[waiter.priority] += waiter.weight;
  }

  /** Returns false if the waiter is not in the queue. */
  remove(waiter: T): boolean {
    if (!this.#waiters[waiter.priority].delete(waiter)) return false;
    this.#weights[waiter.priority] -= waiter.weight;
    return true;
  }

  first(priority?: Priority): T | undefined {
    if (priority !== undefined) return this.#waiters[priority].values().next().value;
    return this.first('foreground') ?? this.first('background');
  }

  /** Keys before a read of this priority that arrives now. */
  weightBefore(priority: Priority): number {
    return priority === 'foreground' ? this.#weights.foreground : this.weight();
  }

  weight(): number {
    return this.#weights.foreground + this.#weights.background;
  }

  size(): number {
    return this.#waiters.foreground.size + this.#waiters.background.size;
  }
}
