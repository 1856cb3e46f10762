// Where exposures go: one message a call. In production it is a Cloudflare Queue, whose consumer archives them.
import type { Exposure } from '../../shared/domain/experiments/exposure.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { withTimeout } from '../request/with-timeout.ts';

/** One line of the archive. */
export interface ShownExposure extends Exposure {
  /** The same for each report of one token: readers drop the rest. */
  readonly id: string;
  /** Milliseconds since the epoch: when the worker was told. */
  readonly atMs: number;
  /** The tier and the region that answered, as the app reports them. */
  readonly tier: string;
  readonly region: string | undefined;
  /** ISO 3166-1 alpha-2: of a listener's own report, or of a read that counts as shown. A service's report has none. */
  readonly country: string | undefined;
}

export interface ExposureSink {
  /** Rejects if the exposures may be lost. */
  send(exposures: readonly ShownExposure[]): Promise<void>;
}

/** The part of Cloudflare's Queue binding that the sink uses. */
export interface MessageQueue {
  send(message: unknown): Promise<unknown>;
}

/** Format of a message. A reader sets a later one aside. */
export const MESSAGE_FORMAT = 1;

const TIMEOUT_MS = 2_000;
/** Maximum number of messages under way: a queue that does not answer must not hold every reader's request. */
export const MAX_SENDING = 32;

export function createQueueSink(queue: MessageQueue, clock: Clock): ExposureSink {
  let sending = 0;
  return {
    send: async (exposures) => {
      if (sending === MAX_SENDING) throw new Error(`expected at most ${MAX_SENDING} messages under way`);
      sending += 1;
      try {
        await withTimeout(clock, TIMEOUT_MS, () => queue.send({ format: MESSAGE_FORMAT, exposures }));
      } finally {
        sending -= 1;
      }
    },
  };
}
