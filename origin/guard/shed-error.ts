// Why a read was refused by the bulkhead, and when it is worth asking again.
import { EarshotError } from '../../shared/wire/errors.ts';

/** Foreground is what somebody waits for; background is refreshes and warm-ups. */
export type Priority = 'foreground' | 'background';

export type ShedReason =
  /** The process has no CPU left: refused by the gate, before it was read. */
  | 'no_cpu'
  /** The queue holds as much as it may. */
  | 'queue_full'
  /** The queue has been standing for a while, and the read would wait, or has waited, longer than that allows. */
  | 'queue_delay'
  /** It could not be finished in the time that it has. */
  | 'hopeless'
  /** A background read, and more than its share is in use. */
  | 'background'
  /** A background read that waited and gave its place to a foreground read. */
  | 'displaced'
  /** Its time ran out while it waited. */
  | 'expired';

export class ShedError extends EarshotError {
  readonly reason: ShedReason;
  /** Whole seconds, at least 1: until the queue of now has been worked off. */
  readonly retryAfterSeconds: number;

  constructor(reason: ShedReason, retryAfterSeconds: number) {
    super('overloaded', 'origin', `the read was shed: ${reason}`);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
