// Writes the heartbeat of this process, one write at a time. A failed write is counted and reported, and the next one
// comes at its time: reads do not depend on it.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';

export interface HeartbeatLoop {
  /** Writes now, then every HEARTBEAT_MS until `stop`. */
  start(): void;
  /** Writes once more. Resolves after the write, also if it fails. */
  beat(): Promise<void>;
  /** Ends the loop with a last write. Resolves after it, also if it fails. */
  stop(): Promise<void>;
}

export interface HeartbeatLoopOptions {
  /** Writes the state of the moment. */
  readonly write: () => Promise<void>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly onError: (error: unknown) => void;
}

/** Milliseconds between two writes. `liveHeartbeats` of the commands allows for two that are missing. */
export const HEARTBEAT_MS = 5000;

export function createHeartbeatLoop({ write, clock, counters, onError }: HeartbeatLoopOptions): HeartbeatLoop {
  let writing: Promise<void> = Promise.resolve();
  let cancelNext: (() => void) | undefined;
  let isStopped = false;

  async function writeOnce(): Promise<void> {
    try {
      await write();
      counters.add('origin_heartbeats_total');
    } catch (error) {
      counters.add('origin_heartbeat_failures_total');
      onError(error);
    }
  }

  /** After the write in flight: the later one must not be overtaken. */
  function beat(): Promise<void> {
    writing = writing.then(writeOnce);
    return writing;
  }

  async function beatAndWait(): Promise<void> {
    await beat();
    if (!isStopped) cancelNext = clock.setTimeout(() => void beatAndWait(), HEARTBEAT_MS);
  }

  return {
    start: () => void beatAndWait(),
    beat,
    stop: () => {
      isStopped = true;
      cancelNext?.();
      return beat();
    },
  };
}
