// State of the region's cluster. While it is ejected, calls go through the other app profile, which leads to any
// available cluster.
//
//   up ──5 failures in a row──► ejected ──probe is due──► half-open ─answered─► up
//                                  ▲────────failed────────────┘
// Source: Envoy, outlier detection (consecutive failures).
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';

export interface LocalCluster {
  /** Whether calls go to this cluster. */
  isUp(): boolean;
  /** Records a call that returned anything. */
  recordAnswer(): void;
  /** Records a call that found the cluster unavailable, or silent for unusually long. */
  recordFailure(): void;
  /** Returns a function once per due probe. Its caller probes the cluster, and reports whether it answered. */
  takeProbe(): ((isAnswered: boolean) => void) | undefined;
}

export interface LocalClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Called at each ejection and each return. Default: none. */
  readonly onChange?: (isUp: boolean) => void;
}

type State =
  | { readonly kind: 'up'; failures: number }
  | { readonly kind: 'ejected'; readonly probeAtMs: number }
  | { readonly kind: 'half-open' };

/** The reserve of the budget for extra reads pays for the earlier failures, with 100 keys each. */
export const FAILURES_TO_EJECT = 5;
const FIRST_PROBE_MS = 500;
export const MAX_PROBE_MS = 10_000;
/** Milliseconds until a probe without an answer has failed. */
export const PROBE_TIMEOUT_MS = 1_000;

export function createLocalCluster({ clock, random, onChange = () => {} }: LocalClusterOptions): LocalCluster {
  let state: State = { kind: 'up', failures: 0 };
  let intervalMs = FIRST_PROBE_MS;
  let returnedAtMs = Number.NEGATIVE_INFINITY;

  /** The interval doubles each time. It is up to half shorter, so that processes do not probe together. */
  function scheduleProbe(): void {
    state = { kind: 'ejected', probeAtMs: clock.monotonicNow() + intervalMs * (1 - random() / 2) };
    intervalMs = Math.min(MAX_PROBE_MS, intervalMs * 2);
  }

  function eject(): void {
    // An unstable cluster is probed less and less often.
    if (clock.monotonicNow() - returnedAtMs > MAX_PROBE_MS) intervalMs = FIRST_PROBE_MS;
    scheduleProbe();
    onChange(false);
  }

  function endProbe(isAnswered: boolean): void {
    if (!isAnswered) {
      scheduleProbe();
      return;
    }
    state = { kind: 'up', failures: 0 };
    returnedAtMs = clock.monotonicNow();
    onChange(true);
  }

  return {
    isUp: () => state.kind === 'up',
    // While the cluster is ejected, only a probe counts: the other calls started earlier.
    recordAnswer: () => {
      if (state.kind === 'up') state.failures = 0;
    },
    recordFailure: () => {
      if (state.kind === 'up' && ++state.failures >= FAILURES_TO_EJECT) eject();
    },
    takeProbe: () => {
      if (state.kind !== 'ejected' || clock.monotonicNow() < state.probeAtMs) return undefined;
      state = { kind: 'half-open' };
      return endProbe;
    },
  };
}
