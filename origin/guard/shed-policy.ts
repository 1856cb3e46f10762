// Decides why a read is shed: on arrival, or at its turn in the queue. Reads are shed on arrival as far as possible, because that treats all
// weights alike; sheds at the turn starve heavy reads. A read that was queued before an overload became known is shed at its turn, or the
// server would work off only late reads.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import type { QueueDelayLimit } from './queue-delay-limit.ts';
import type { QueuedRead, QueuedReads } from './queued-reads.ts';
import type { ServiceRate } from './service-rate.ts';
import type { Priority, ShedReason } from './shed-error.ts';
import type { Waiter } from './wait-queue.ts';

export interface ShedPolicy {
  /** Whether a read of this priority may start now. */
  hasRoom(priority: Priority): boolean;
  /** The reason against a read that arrives, whether it would start or wait. */
  backgroundShedReason(arriving: Waiter): ShedReason | undefined;
  /** The reason against a read that arrives and would have to wait. Records the arrival. */
  queueShedReason(arriving: Waiter, timeoutMs: number): ShedReason | undefined;
  /** The reason against a queued read whose turn it is. */
  turnShedReason(queued: QueuedRead): ShedReason | undefined;
}

export interface ShedPolicyOptions {
  readonly clock: Clock;
  readonly limit: Pick<ConcurrencyLimit, 'limit' | 'expectMs'>;
  readonly queue: QueuedReads['queue'];
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
/** Shares of maxDelayMs. A read that waited longer than the first is shed at its turn while the limit is below the second: in an overload. */
const LATE_SHARE = 1 / 2;
const OVERLOAD_SHARE = 1 / 5;

export function createShedPolicy(options: ShedPolicyOptions): ShedPolicy {
  const { clock, limit, queue, rate, delayLimit, maxDelayMs, queueSlots, maxWaiting, executing } = options;

  const slotsOf = (priority: Priority): number =>
    limit.limit() * (priority === 'foreground' ? 1 : options.backgroundShare);

  function isQueueFull({ priority, weight }: Waiter, weightBefore: number): boolean {
    if (weightBefore > 0 && weightBefore + weight > queueSlots) return true;
    // A foreground read displaces a background read.
    const hasNoPlace = priority === 'background' || queue.firstBackground() === undefined;
    return queue.size() >= maxWaiting && hasNoPlace;
  }

  const isLate = ({ sinceMs }: QueuedRead, nowMs: number): boolean =>
    nowMs - sinceMs > maxDelayMs * LATE_SHARE && delayLimit.ms() < maxDelayMs * OVERLOAD_SHARE;

  return {
    // A read starts while one slot is free, whatever its weight. If it waited for all its slots, the server would idle before each heavy read.
    hasRoom: (priority) => executing() === 0 || executing() < slotsOf(priority),

    backgroundShedReason: ({ priority, weight }) => {
      if (priority === 'foreground') return undefined;
      const inUse = executing() + queue.weight();
      const isCrowded = inUse > 0 && inUse + weight > (limit.limit() + queueSlots) / 2;
      return isCrowded || delayLimit.shedShare() > MAX_SHED_SHARE_FOR_BACKGROUND ? 'background' : undefined;
    },

    queueShedReason: (arriving, timeoutMs) => {
      const { priority, weight } = arriving;
      const weightBefore = queue.weightBefore(priority);
      if (isQueueFull(arriving, weightBefore)) return 'queue_full';
      // Without the weight of the read itself, so that each weight is shed alike.
      const isTooLong = rate.msFor(weightBefore) > delayLimit.ms();
      if (priority === 'foreground') delayLimit.recordArrival(weight, isTooLong);
      if (isTooLong) return 'queue_delay';
      // An old rate could keep all reads out, and no read would show that a server that had stopped works again.
      const keysUntilRoom = weightBefore + Math.max(0, executing() + 1 - slotsOf(priority));
      const untilRoomMs = rate.isFresh() ? rate.msFor(keysUntilRoom) : 0;
      return untilRoomMs + limit.expectMs(weight) > timeoutMs ? 'hopeless' : undefined;
    },

    turnShedReason: (queued) => {
      const nowMs = clock.monotonicNow();
      const leftMs = queued.deadlineMs - nowMs;
      if (leftMs <= 0) return 'expired';
      // Without keys in flight any read starts: otherwise an expectation that is too high could never be corrected.
      if (executing() > 0 && limit.expectMs(queued.weight) > leftMs) return 'hopeless';
      return isLate(queued, nowMs) ? 'queue_delay' : undefined;
    },
  };
}
