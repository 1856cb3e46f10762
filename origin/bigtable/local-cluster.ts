// Whether the cluster of this region is read, or is ejected: then calls go through the other app profile, which leads to any cluster that can be
// reached. It only decides; who calls tells what became of it.
//
//   up ──5 failures in a row──► ejected ──probe is due──► half-open ──answered──► up
//                                  ▲────────failed────────────┘
// Source: Envoy, outlier detection (consecutive failures).
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';

export interface LocalCluster {
  /** Whether calls are to go to it. */
  isUp(): boolean;
  /** A call to it brought something. */
  answered(): void;
  /** A call to it was told that it is not there, or heard nothing for longer than calls take. */
  failed(): void;
  /** For one caller once the next probe is due: who gets the function asks the cluster, and tells with it whether it answered. */
  takeProbe(): ((isAnswered: boolean) => void) | undefined;
}

export interface LocalClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each ejection and each return. Default: nobody. */
  readonly onChange?: (isUp: boolean) => void;
}

type State =
  | { readonly kind: 'up'; failures: number }
  | { readonly kind: 'ejected'; readonly probeAtMs: number }
  | { readonly kind: 'half-open' };

/** The four before it, with 100 keys each, are what the reserve of the budget for extra reads pays for: none of their keys fails. */
export const FAILURES_TO_EJECT = 5;
const FIRST_PROBE_MS = 500;
export const MAX_PROBE_MS = 10_000;
/** How long a probe waits for its answer. */
export const PROBE_TIMEOUT_MS = 1_000;

export function createLocalCluster({ clock, random, onChange = () => {} }: LocalClusterOptions): LocalCluster {
  let state: State = { kind: 'up', failures: 0 };
  let intervalMs = FIRST_PROBE_MS;
  let backAtMs = Number.NEGATIVE_INFINITY;

  /** Doubled each time, and by up to half sooner, so that the processes of an origin do not probe together. */
  function probeLater(): void {
    state = { kind: 'ejected', probeAtMs: clock.monotonicNow() + intervalMs * (1 - random() / 2) };
    intervalMs = Math.min(MAX_PROBE_MS, intervalMs * 2);
  }

  function eject(): void {
    // One that comes and goes is probed less and less.
    if (clock.monotonicNow() - backAtMs > MAX_PROBE_MS) intervalMs = FIRST_PROBE_MS;
    probeLater();
    onChange(false);
  }

  function settleProbe(isAnswered: boolean): void {
    if (!isAnswered) {
      probeLater();
      return;
    }
    state = { kind: 'up', failures: 0 };
    backAtMs = clock.monotonicNow();
    onChange(true);
  }

  return {
    isUp: () => state.kind === 'up',
    // Of a cluster that is ejected only a probe is believed: the others began before.
    answered: () => {
      if (state.kind === 'up') state.failures = 0;
    },
    failed: () => {
      if (state.kind === 'up' && ++state.failures >= FAILURES_TO_EJECT) eject();
    },
    takeProbe: () => {
      if (state.kind !== 'ejected' || clock.monotonicNow() < state.probeAtMs) return undefined;
      state = { kind: 'half-open' };
      return settleProbe;
    },
  };
}
