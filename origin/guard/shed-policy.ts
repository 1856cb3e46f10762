// Decides why a read is shed: on arrival, or at its turn in the queue. Reads are shed on arrival as far as possible,
// because that treats all weights alike; sheds at the turn starve heavy reads. A read that was queued before an
// overload became known is shed at its turn, or the server would work off only late reads.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import type { QueueDelayLimit } from './queue-delay-limit.ts';
import type { QueuedRead } from './queued-reads.ts';
import type { ServiceRate } from './service-rate.ts';
import type { Priority, ShedReason } from './shed-error.ts';
import type { Waiter, WaitQueue } from './wait-queue.ts';

export interface ShedPolicyOptions {
  readonly clock: Clock;
  readonly limit: Pick<ConcurrencyLimit, 'limit' | 'expectMs'>;
  readonly queue: WaitQueue<QueuedRead>;
  readonly rate: Pick<ServiceRate, 'isFresh' | 'msFor'>;
  readonly delayLimit: QueueDelayLimit;
  readonly maxDelayMs: number;
  readonly queueSlots: number;
  readonly maxWaiting: number;
  readonly backgroundShare: number;
  /** Keys in flight. */
  readonly executing: () => number;
}

/** Background reads are shed when more than this share of the recent weight was shed. */
const MAX_SHED_SHARE_FOR_BACKGROUND = 0.01;
/**
 * Shares of maxDelayMs: a read that waited longer than the first is shed at its turn if the limit is below the second.
 */
const LATE_SHARE = 1 / 2;
const OVERLOAD_SHARE = 1 / 5;

export class ShedPolicy {
  readonly #options: ShedPolicyOptions;

  constructor(options: ShedPolicyOptions) {
    this.#options = options;
  }

  /** A read starts while one slot is free, whatever its weight. Otherwise the server would idle before heavy reads. */
  hasRoom(priority: Priority): boolean {
    const executing = this.#options.executing();
    return executing === 0 || executing < this.#slotsOf(priority);
  }

  /** The reason against a background read that arrives, whether it would start or wait. */
  backgroundShedReason({ priority, weight }: Waiter): ShedReason | undefined {
    if (priority === 'foreground') return undefined;
    const { limit, queue, delayLimit, queueSlots, executing } = this.#options;
    const inUse = executing() + queue.weight();
    const isCrowded = inUse > 0 && inUse + weight > (limit.limit() + queueSlots) / 2;
    return isCrowded || delayLimit.shedShare() > MAX_SHED_SHARE_FOR_BACKGROUND ? 'background' : undefined;
  }

  /** The reason against a read that arrives and would have to wait. Records the arrival. */
  queueShedReason(arriving: Waiter, timeoutMs: number): ShedReason | undefined {
    const { limit, queue, rate, delayLimit, executing } = this.#options;
    const { priority, weight } = arriving;
    const weightBefore = queue.weightBefore(priority);
    if (this.#isQueueFull(arriving, weightBefore)) return 'queue_full';
    // Without the weight of the read itself, so that each weight is shed alike.
    const isTooLong = rate.msFor(weightBefore) > delayLimit.ms();
    if (priority === 'foreground') delayLimit.recordArrival(weight, isTooLong);
    if (isTooLong) return 'queue_delay';
    // An old rate could keep all reads out, and no read would show that a server that had stopped works again.
    const keysUntilRoom = weightBefore + Math.max(0, executing() + 1 - this.#slotsOf(priority));
    const untilRoomMs = rate.isFresh() ? rate.msFor(keysUntilRoom) : 0;
    return untilRoomMs + limit.expectMs(weight) > timeoutMs ? 'hopeless' : undefined;
  }

  /** The reason against a queued read whose turn it is. */
  turnShedReason({ weight, sinceMs, deadlineMs }: QueuedRead): ShedReason | undefined {
    const { clock, limit, delayLimit, maxDelayMs, executing } = this.#options;
    const nowMs = clock.monotonicNow();
    if (deadlineMs <= nowMs) return 'expired';
    // Without keys in flight any read starts: otherwise an expectation that is too high could never be corrected.
    if (executing() > 0 && limit.expectMs(weight) > deadlineMs - nowMs) return 'hopeless';
    const isLate = nowMs - sinceMs > maxDelayMs * LATE_SHARE && delayLimit.ms() < maxDelayMs * OVERLOAD_SHARE;
    return isLate ? 'queue_delay' : undefined;
  }

  #slotsOf(priority: Priority): number {
    const { limit, backgroundShare } = this.#options;
    return limit.limit() * (priority === 'foreground' ? 1 : backgroundShare);
  }

  #isQueueFull({ priority, weight }: Waiter, weightBefore: number): boolean {
    const { queue, queueSlots, maxWaiting } = this.#options;
    if (weightBefore > 0 && weightBefore + weight > queueSlots) return true;
    // A foreground read displaces a background read.
    const hasNoPlace = priority === 'background' || queue.first('background') === undefined;
    return queue.size() >= maxWaiting && hasNoPlace;
  }
}
