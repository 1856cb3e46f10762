// The reads queued by the bulkhead. Each leaves the queue once: it starts, its time runs out, its caller cancels, or it
// is shed.
import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ServiceRate } from './service-rate.ts';
import type { ShedReason } from './shed-error.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

/** `weight`: keys to read, a whole number, at least 1. */
export interface BulkheadRequest extends Waiter {
  /** Milliseconds that the caller has left, queueing included. */
  readonly timeoutMs: number;
  /** Removes a cancelled request from the queue. Work that has started is not affected. Default: never. */
  readonly cancellation?: Cancellation | undefined;
  /** Called within `run` when the request is queued. */
  readonly onWait?: (() => void) | undefined;
}

export interface QueuedRead extends Waiter {
  readonly sinceMs: number;
  readonly deadlineMs: number;
  /** Undefined outside the queue, whose Set references its members for longer (docs/decisions/0019). */
  actions: QueuedReadActions | undefined;
}

interface QueuedReadActions {
  start(): void;
  reject(error: unknown): void;
  removeListeners(): void;
}

export interface QueuedReadsOptions {
  readonly clock: Clock;
  readonly rate: Pick<ServiceRate, 'setQueueing'>;
  readonly queueSlots: number;
  readonly maxWaiting: number;
  readonly shed: (reason: ShedReason, waiter: Waiter) => unknown;
  /** Called after a read left the queue without a start. */
  readonly onLeft: () => void;
}

export function createQueuedReads(options: QueuedReadsOptions) {
  const { clock, rate, queueSlots, maxWaiting, shed, onLeft } = options;
  const queue = new WaitQueue<QueuedRead>();

  /** Returns undefined if the read is not in the queue. */
  function dequeue(queued: QueuedRead): QueuedReadActions | undefined {
    if (!queue.remove(queued)) return undefined;
    const { actions } = queued;
    queued.actions = undefined;
    actions?.removeListeners();
    if (queue.size() === 0) rate.setQueueing(false);
    return actions;
  }

  function rejectQueued(queued: QueuedRead, makeError: () => unknown): void {
    const actions = dequeue(queued);
    if (actions === undefined) return;
    actions.reject(makeError());
    onLeft();
  }

  /** Sheds the background reads that waited longest: they are nearest to their deadlines. */
  function displaceBackground(): void {
    while (queue.weight() > queueSlots || queue.size() > maxWaiting) {
      const displaced = queue.first('background');
      if (displaced === undefined) return;
      dequeue(displaced)?.reject(shed('displaced', displaced));
    }
  }

  /** Settles as `start`, which is called when the read leaves the queue with room. */
  function enqueue<T>(request: BulkheadRequest, deadlineMs: number, start: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { priority, weight, timeoutMs, cancellation } = request;
      const cancelTimer = clock.setTimeout(() => rejectQueued(queued, () => shed('expired', request)), timeoutMs);
      const actions: QueuedReadActions = {
        start: () => start().then(resolve, reject),
        reject,
        removeListeners: () => {
          cancelTimer();
          removeListener?.();
        },
      };
      const queued: QueuedRead = { priority, weight, sinceMs: clock.monotonicNow(), deadlineMs, actions };
      const removeListener = cancellation?.onCancel(() => rejectQueued(queued, () => new CallerCancelled()));
      queue.add(queued);
      request.onWait?.();
      rate.setQueueing(true);
      if (priority === 'foreground') displaceBackground();
    });
  }

  return { queue, enqueue, dequeue };
}
