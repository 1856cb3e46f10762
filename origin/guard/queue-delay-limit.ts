// How long a read may wait in a queue, by how much of what arrives cannot be served: bursts are waited out, an overload is not, because
// there a queue gives no throughput and only makes every read late. It is a proportional version of what CoDel does (RFC 8289; "Fail at
// Scale", ACM Queue 13/8, uses two fixed times): those jump between a long and a short queue at loads around 1, and in simulation shed
// twice as much.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface AllowedWait {
  /** ms that a read which arrives now may have before it. */
  ms(): number;
  /** A read arrived, and was shed for what it would have waited or was not. */
  note(weight: number, isShed: boolean): void;
  /** Of the weight that arrived lately, the part that was shed: 0 to 1. */
  shedShare(): number;
  /** Of what arrived at the process lately, the part that was refused, here or before: 0 to 1. */
  refusedShare(): number;
}

export interface AllowedWaitOptions {
  readonly clock: Clock;
  /** What is allowed as long as nothing is shed. */
  readonly maxWaitMs: number;
  /** The part of what arrives at the process that gets as far as this, above 0, at most 1. Default: all of it */
  readonly admittedShare?: (() => number) | undefined;
}

/** The share is a moving mean over intervals of this length, in ms, of which the newest counts so much. */
const INTERVAL_MS = 50;
const SMOOTHING = 0.5;
/** What is allowed in full overload, in ms. */
const MIN_WAIT_MS = 2.5;
/**
 * From this refused share on it is full overload. At 0.5 much is allowed where what can be served comes and goes, as on cores that others use too: what
 * is let in while there is much is late when there is little.
 */
export const FULL_OVERLOAD = 0.4;

export function createAllowedWait({ clock, maxWaitMs, admittedShare = () => 1 }: AllowedWaitOptions): AllowedWait {
  let share = 0;
  let interval = { sinceMs: clock.monotonicNow(), arrived: 0, shed: 0 };

  function catchUp(): void {
    const nowMs = clock.monotonicNow();
    const ended = Math.floor((nowMs - interval.sinceMs) / INTERVAL_MS);
    if (ended === 0) return;
    const { arrived, shed } = interval;
    share += SMOOTHING * ((arrived === 0 ? 0 : shed / arrived) - share);
    // Nothing arrived in the intervals after that one.
    share *= (1 - SMOOTHING) ** (ended - 1);
    interval = { sinceMs: nowMs, arrived: 0, shed: 0 };
  }

  function refusedShare(): number {
    catchUp();
    return 1 - (1 - share) * admittedShare();
  }

  return {
    ms: () => Math.max(MIN_WAIT_MS, maxWaitMs * (1 - refusedShare() / FULL_OVERLOAD)),
    refusedShare,
    note: (weight, isShed) => {
      catchUp();
      interval.arrived += weight;
      if (isShed) interval.shed += weight;
    },
    shedShare: () => {
      catchUp();
      return share;
    },
  };
}
