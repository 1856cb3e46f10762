// Bulkhead in front of Bigtable. Bounds the keys in flight and the keys queued. Sheds the rest immediately, so that the
// caller has time to try another region. Each slot that is taken is given back. The queue is first in, first out: last
// in, first out gains no throughput, and lets reads wait until they expire (docs/decisions/0017).
import { CallerCancelled } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ConcurrencyLimit, ReadSample } from './concurrency-limit.ts';
import { createQueueDelayLimit } from './queue-delay-limit.ts';
import { type BulkheadRequest, createQueuedReads } from './queued-reads.ts';
import { createServiceRate } from './service-rate.ts';
import { makeShedError, type Priority, type ShedReason } from './shed-error.ts';
import { ShedPolicy } from './shed-policy.ts';
import type { Waiter } from './wait-queue.ts';

export type { BulkheadRequest } from './queued-reads.ts';

export interface BulkheadState {
  /** Keys in flight. */
  readonly executing: number;
  /** Keys queued. */
  readonly queued: number;
  /** Reads queued. */
  readonly waiting: number;
  /** Maximum number of keys in flight; the last read that started may exceed it. */
  readonly limit: number;
}

export interface Bulkhead {
  /**
   * Starts `work` when there is room, with the milliseconds that are left. Rejects as `work` rejects, with a ShedError,
   * with `deadline_exceeded` when the time runs out in the queue, and with CallerCancelled for a cancelled request.
   */
  run<T>(request: BulkheadRequest, work: (remainingMs: number) => Promise<T>): Promise<T>;
  state(): BulkheadState;
}

export interface BulkheadOptions {
  readonly clock: Clock;
  /** Number of execution slots. Observes each read. */
  readonly limit: ConcurrencyLimit;
  /** Maximum number of keys queued. Default: 3000. */
  readonly queueSlots?: number;
  /** Maximum number of reads queued. Default: 1000. */
  readonly maxWaiting?: number;
  /** Share of the execution slots for background reads, 0 to 1; of all slots they get half. Default: 0.25. */
  readonly backgroundShare?: number;
  /** Maximum queue delay in milliseconds while no read is shed. Default: 75. */
  readonly maxDelayMs?: number;
  /** Share of the process's reads that arrives here, above 0, at most 1. Default: all reads. */
  readonly admittedShare?: () => number;
  /** Called for each read that is shed. A cancelled read is not. */
  readonly onShed?: (reason: ShedReason, weight: number, priority: Priority) => void;
}

export function createBulkhead(options: BulkheadOptions): Bulkhead {
  const { clock, limit, queueSlots = 3000, maxWaiting = 1000, backgroundShare = 0.25, maxDelayMs = 75 } = options;
  const rate = createServiceRate(clock);
  const delayLimit = createQueueDelayLimit({ clock, maxDelayMs, admittedShare: options.admittedShare });
  const { queue, enqueue, dequeue } = createQueuedReads({
    clock,
    rate,
    queueSlots,
    maxWaiting,
    shed,
    onLeft: startNext,
  });
  let executing = 0;
  const bounds = { maxDelayMs, queueSlots, maxWaiting, backgroundShare };
  const policy = new ShedPolicy({ clock, limit, queue, rate, delayLimit, executing: () => executing, ...bounds });

  function shed(reason: ShedReason, { weight, priority }: Waiter): EarshotError {
    options.onShed?.(reason, weight, priority);
    return makeShedError(reason, rate.msFor(queue.weight()));
  }

  function startNext(): void {
    for (let next = queue.first(); next !== undefined; next = queue.first()) {
      const reason = policy.turnShedReason(next);
      if (reason === undefined && !policy.hasRoom(next.priority)) return;
      const read = dequeue(next);
      if (reason === undefined) read?.start();
      else read?.reject(shed(reason, next));
    }
  }

  function execute<T>(weight: number, deadlineMs: number, work: (remainingMs: number) => Promise<T>): Promise<T> {
    const startedAtMs = clock.monotonicNow();
    executing += weight;
    const inFlight = executing;
    const endRead = (outcome: ReadSample['outcome']): void => {
      executing -= weight;
      const latencyMs = clock.monotonicNow() - startedAtMs;
      limit.observe({ latencyMs, weight, inFlight, outcome, refusedShare: delayLimit.refusedShare() });
      rate.recordDone(weight);
      startNext();
    };
    const outcome = (async () => work(deadlineMs - startedAtMs))();
    outcome.then(
      () => endRead('ok'),
      (error) => endRead(isDeadline(error) ? 'deadline' : 'failed'),
    );
    return outcome;
  }

  return {
    run: async (request, work) => {
      const { priority, weight, timeoutMs, cancellation } = request;
      if (cancellation?.isCancelled()) throw new CallerCancelled();
      if (timeoutMs <= 0) throw shed('expired', request);
      const deadlineMs = clock.monotonicNow() + timeoutMs;
      const isNext = queue.weightBefore(priority) === 0 && policy.hasRoom(priority);
      if (isNext && priority === 'foreground') delayLimit.recordArrival(weight, false);
      const reason =
        policy.backgroundShedReason(request) ?? (isNext ? undefined : policy.queueShedReason(request, timeoutMs));
      if (reason !== undefined) throw shed(reason, request);
      if (isNext) return execute(weight, deadlineMs, work);
      return enqueue(request, deadlineMs, () => execute(weight, deadlineMs, work));
    },
    state: () => ({ executing, queued: queue.weight(), waiting: queue.size(), limit: limit.limit() }),
  };
}

const isDeadline = (error: unknown): boolean => error instanceof EarshotError && error.code === 'deadline_exceeded';
