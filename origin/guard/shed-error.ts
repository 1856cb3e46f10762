// The reason why a read was shed, and when a retry is worthwhile.
import { EarshotError } from '../../shared/wire/errors.ts';

/** A caller waits for a foreground read. Background reads are refreshes and warm-ups. */
export const PRIORITIES = ['foreground', 'background'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const SHED_REASONS = [
  /** The process has no CPU left. The request was refused before its body was read. */
  'no_cpu',
  /** The bodies under way take all the memory that they may have. */
  'no_body_memory',
  /** The queue is full. */
  'queue_full',
  /** The queue delay is, or has become, longer than its limit. */
  'queue_delay',
  /** The read could not end before its deadline. */
  'hopeless',
  /** A background read, and background reads use more than their share. */
  'background',
  /** A background read that was queued and made room for a foreground read. */
  'displaced',
  /** The deadline passed in the queue. */
  'expired',
] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

export class ShedError extends EarshotError {
  readonly reason: ShedReason;
  /** Whole seconds until the present queue is empty, at least 1. */
  readonly retryAfterSeconds: number;

  constructor(reason: ShedReason, retryAfterSeconds: number) {
    super('overloaded', 'origin', `the read was shed: ${reason}`);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const MAX_RETRY_AFTER_SECONDS = 30;

/** `queueMs`: time to empty the queue. */
export function makeShedError(reason: ShedReason, queueMs: number): EarshotError {
  if (reason === 'expired')
    return new EarshotError('deadline_exceeded', 'origin', 'the deadline passed before the read was started');
  return new ShedError(reason, Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil(queueMs / 1000))));
}
