// The bulkhead before Bigtable: so many keys are under way at once, so many wait, and the rest is shed at once, while there is still time
// to go elsewhere. A slot that was taken is always given back. It knows nothing of what the work is.
//
// The queue is first in, first out. Newest first (adaptive LIFO) gave the same throughput in simulation, a p99 that was a third higher,
// and left reads to wait until they expired. Reads are refused on arrival rather than dropped when their turn comes: that takes from each
// weight alike, where dropping starved reads of many keys (1 to 11 % of those of 200 keys were served, of single keys 80 %). But what had
// queued up before an overload was found out is dropped when its turn comes: else the server works off only reads that are late, while
// fresh ones are refused.

import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ConcurrencyLimit, ReadSample } from './concurrency-limit.ts';
import { createAllowedWait } from './queue-delay-limit.ts';
import { createServiceRate } from './service-rate.ts';
import { type Priority, ShedError, type ShedReason } from './shed-error.ts';
import { createWaitQueue, type Waiter } from './wait-queue.ts';

export interface Ask {
  readonly priority: Priority;
  /** Keys to be read: a whole number, at least 1. */
  readonly weight: number;
  /** Time that the caller has left, in ms, waiting included. */
  readonly timeoutMs: number;
  /** Of the caller: one who has gone leaves the queue. Work that has started is not touched. Default: stays. */
  readonly cancellation?: Cancellation | undefined;
  /** Called within `run` when there is no room yet: neither started nor refused. */
  readonly onWait?: (() => void) | undefined;
}

export interface BulkheadState {
  /** Keys under way. */
  readonly executing: number;
  /** Keys waiting. */
  readonly queued: number;
  /** Reads waiting. */
  readonly waiting: number;
  /** Keys that may be under way; the last read that started may have brought more. */
  readonly limit: number;
}

export interface Bulkhead {
  /**
   * What `work` gives, started when there is room; it gets the time that is left then, in ms. Rejects with what `work` rejects with, with a
   * ShedError, with `deadline_exceeded` when the time ran out in the queue, and with CallerCancelled when the caller has gone.
   */
  run<T>(ask: Ask, work: (remainingMs: number) => Promise<T>): Promise<T>;
  state(): BulkheadState;
}

export interface BulkheadOptions {
  readonly clock: Clock;
  /** Gives the execution slots and is told of every read. */
  readonly limit: ConcurrencyLimit;
  /** Keys that may wait. Default: 3000 */
  readonly queueSlots?: number;
  /** Reads that may wait. Default: 1000 */
  readonly maxWaiting?: number;
  /** What background reads may have of the execution slots, 0 to 1; of execution and queue slots together they get half. Default: 0.25 */
  readonly backgroundShare?: number;
  /** How long a read may have to wait as long as none is shed, in ms. Default: 75 */
  readonly maxWaitMs?: number;
  /** The part of what arrives at the process that gets as far as this, above 0, at most 1. Default: all of it */
  readonly admittedShare?: () => number;
  /** Called for every read that is not started, except where its caller left. */
  readonly onShed?: (reason: ShedReason, weight: number, priority: Priority) => void;
}

interface Waiting extends Waiter {
  readonly sinceMs: number;
  readonly deadlineMs: number;
  /** Undefined once it is out of the queue, whose Set keeps its members for longer (docs/decisions/0019), and by this all that is read. */
  read: WaitingRead | undefined;
}

interface WaitingRead {
  start(): void;
  reject(error: unknown): void;
  /** Lets go of timer and caller. */
  forget(): void;
}

/** More of the arriving weight than this was shed lately: background reads stay out. */
const MAX_SHED_SHARE_FOR_BACKGROUND = 0.01;
const MAX_RETRY_AFTER_SECONDS = 30;
/** Parts of maxWaitMs: who has waited for longer than the first is dropped as soon as less than the second is allowed, which is in overload alone. */
const LATE_SHARE = 1 / 2;
const OVERLOAD_SHARE = 1 / 5;

export function createBulkhead(options: BulkheadOptions): Bulkhead {
  const { clock, limit, queueSlots = 3000, maxWaiting = 1000, backgroundShare = 0.25, onShed } = options;
  const { maxWaitMs = 75, admittedShare } = options;
  const queue = createWaitQueue<Waiting>();
  const rate = createServiceRate(clock);
  const allowedWait = createAllowedWait({ clock, maxWaitMs, admittedShare });
  let executing = 0;

  const slotsOf = (priority: Priority): number => limit.limit() * (priority === 'foreground' ? 1 : backgroundShare);

  /**
   * As long as a slot is free a read starts, whatever its weight: the last one takes more than there is. Were it to wait until all of it fits, the
   * server would run empty before every heavy one.
   */
  const hasRoom = ({ priority }: Waiter): boolean => executing === 0 || executing < slotsOf(priority);

  function whyNotBackground({ priority, weight }: Ask): ShedReason | undefined {
    if (priority === 'foreground') return undefined;
    const held = executing + queue.weight();
    const isCrowded = held > 0 && held + weight > (limit.limit() + queueSlots) / 2;
    return isCrowded || allowedWait.shedShare() > MAX_SHED_SHARE_FOR_BACKGROUND ? 'background' : undefined;
  }

  function whyNotWait({ priority, weight, timeoutMs }: Ask): ShedReason | undefined {
    const before = queue.weightBefore(priority);
    const isFull = before > 0 && before + weight > queueSlots;
    // A foreground read takes the place of a background one.
    const isCrowded =
      queue.size() >= maxWaiting && (priority === 'background' || queue.firstBackground() === undefined);
    if (isFull || isCrowded) return 'queue_full';
    // Its own weight is left out: of what waits in vain each weight is to have its part.
    const isTooLong = rate.msFor(before) > allowedWait.ms();
    if (priority === 'foreground') allowedWait.note(weight, isTooLong);
    if (isTooLong) return 'queue_delay';
    // Were an old rate believed here, nobody would be let in to find out that a server that had come to a halt goes on.
    const untilRoomMs = rate.isFresh() ? rate.msFor(before + Math.max(0, executing + 1 - slotsOf(priority))) : 0;
    return untilRoomMs + limit.expectMs(weight) > timeoutMs ? 'hopeless' : undefined;
  }

  function shed(reason: ShedReason, { weight, priority }: Waiter): EarshotError {
    onShed?.(reason, weight, priority);
    if (reason === 'expired')
      return new EarshotError('deadline_exceeded', 'origin', 'the deadline passed before the read was started');
    const seconds = Math.ceil(rate.msFor(queue.weight()) / 1000);
    return new ShedError(reason, Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds)));
  }

  /** Undefined if it was not there any more. */
  function leave(waiting: Waiting): WaitingRead | undefined {
    if (!queue.remove(waiting)) return undefined;
    const { read } = waiting;
    waiting.read = undefined;
    read?.forget();
    if (queue.size() === 0) rate.setQueueing(false);
    return read;
  }

  function leaveWith(waiting: Waiting, makeError: () => unknown): void {
    const read = leave(waiting);
    if (read === undefined) return;
    read.reject(makeError());
    startNext();
  }

  /** It was let in when as much could be waited for. */
  const isLate = ({ sinceMs }: Waiting): boolean =>
    clock.monotonicNow() - sinceMs > maxWaitMs * LATE_SHARE && allowedWait.ms() < maxWaitMs * OVERLOAD_SHARE;

  function startNext(): void {
    for (let next = queue.first(); next !== undefined; next = queue.first()) {
      const remainingMs = next.deadlineMs - clock.monotonicNow();
      // With nothing under way it is started whatever was expected: else a guess that is too high could never be put right.
      const isHopeless = executing > 0 && limit.expectMs(next.weight) > remainingMs;
      const isDropped = isLate(next);
      if (remainingMs > 0 && !isHopeless && !isDropped && !hasRoom(next)) return;
      const read = leave(next);
      if (remainingMs <= 0) read?.reject(shed('expired', next));
      else if (isHopeless) read?.reject(shed('hopeless', next));
      else if (isDropped) read?.reject(shed('queue_delay', next));
      else read?.start();
    }
  }

  function execute<T>(weight: number, deadlineMs: number, work: (remainingMs: number) => Promise<T>): Promise<T> {
    const startedAtMs = clock.monotonicNow();
    executing += weight;
    const inFlight = executing;
    const end = (outcome: ReadSample['outcome']): void => {
      executing -= weight;
      const latencyMs = clock.monotonicNow() - startedAtMs;
      limit.observe({ latencyMs, weight, inFlight, outcome, refusedShare: allowedWait.refusedShare() });
      rate.done(weight);
      startNext();
    };
    const outcome = (async () => work(deadlineMs - startedAtMs))();
    outcome.then(
      () => end('ok'),
      (error) => end(isDeadline(error) ? 'deadline' : 'failed'),
    );
    return outcome;
  }

  function wait<T>(ask: Ask, deadlineMs: number, work: (remainingMs: number) => Promise<T>): Promise<T> {
    const { priority, weight, cancellation } = ask;
    return new Promise((resolve, reject) => {
      const cancelExpiry = clock.setTimeout(() => leaveWith(waiting, () => shed('expired', ask)), ask.timeoutMs);
      const waiting: Waiting = {
        priority,
        weight,
        sinceMs: clock.monotonicNow(),
        deadlineMs,
        read: {
          start: () => execute(weight, deadlineMs, work).then(resolve, reject),
          reject,
          forget: () => {
            cancelExpiry();
            forgetCaller?.();
          },
        },
      };
      const forgetCaller = cancellation?.onCancel(() => leaveWith(waiting, () => new CallerCancelled()));
      queue.add(waiting);
      ask.onWait?.();
      rate.setQueueing(true);
      if (priority === 'foreground') displaceBackground();
    });
  }

  /** The one that has waited longest goes: it is the nearest to its deadline. */
  function displaceBackground(): void {
    while (queue.weight() > queueSlots || queue.size() > maxWaiting) {
      const displaced = queue.firstBackground();
      if (displaced === undefined) return;
      leave(displaced)?.reject(shed('displaced', displaced));
    }
  }

  return {
    run: async (ask, work) => {
      if (ask.cancellation?.isCancelled()) throw new CallerCancelled();
      if (ask.timeoutMs <= 0) throw shed('expired', ask);
      const deadlineMs = clock.monotonicNow() + ask.timeoutMs;
      const isNext = queue.weightBefore(ask.priority) === 0 && hasRoom(ask);
      if (isNext && ask.priority === 'foreground') allowedWait.note(ask.weight, false);
      const why = whyNotBackground(ask) ?? (isNext ? undefined : whyNotWait(ask));
      if (why !== undefined) throw shed(why, ask);
      return isNext ? execute(ask.weight, deadlineMs, work) : wait(ask, deadlineMs, work);
    },
    state: () => ({ executing, queued: queue.weight(), waiting: queue.size(), limit: limit.limit() }),
  };
}

const isDeadline = (error: unknown): boolean => error instanceof EarshotError && error.code === 'deadline_exceeded';
