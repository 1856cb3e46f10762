// A probe of the table's latency without congestion. It tells an overload from a table that has become slower.
//
// (1) The limit drops to PROBE_SHARE, and the server works off its queue; (2) the next reads show the latency without
// the others; (3) if that is the baseline, it was an overload, and the limit continues as before; (4) if it is more,
// the table is slower for good, and the baseline and the limit grow by that factor. With PROBE_SHARE times TOLERANCE
// below 1 an error of the baseline shrinks from probe to probe.
import type { Clock } from '../../shared/runtime/clock.ts';
import { addSample, congestionOf, type LatencyWindow, startWindow } from './latency-window.ts';

export const PROBE_SHARE = 1 / 8;
const PROBE_SAMPLES = 12;
/** Few samples are better than none, but one is not. */
const MIN_SAMPLES = PROBE_SAMPLES / 3;
const MAX_PROBE_MS = 2000;

export interface LatencyProbe {
  readonly window: LatencyWindow;
  /** Reads of a weight without a baseline. */
  readonly firsts: { readonly weight: number; readonly latencyMs: number }[];
}

export const startProbe = (nowMs: number): LatencyProbe => ({ window: startWindow(nowMs), firsts: [] });

/** Adds an uncongested read. A read from before the probe is ignored. */
export function addProbeRead(
  { window, firsts }: LatencyProbe,
  weight: number,
  latencyMs: number,
  expectedMs: number | undefined,
  nowMs: number,
): void {
  if (nowMs - latencyMs < window.sinceMs) return;
  if (expectedMs === undefined) firsts.push({ weight, latencyMs });
  else addSample(window, weight, latencyMs, expectedMs);
}

export const isProbeOver = ({ window, firsts }: LatencyProbe, nowMs: number): boolean =>
  window.samples + firsts.length >= PROBE_SAMPLES || nowMs - window.sinceMs >= MAX_PROBE_MS;

/** Latency over baseline; undefined with too few samples. */
export const slowdownOf = ({ window }: LatencyProbe): number | undefined =>
  window.samples >= MIN_SAMPLES ? congestionOf(window) : undefined;

/** Milliseconds between two probes while latency holds the limit down. */
const PROBE_AFTER_MS = 10_000;
/** Milliseconds between two probes that start because the limit was halved. */
const MIN_PROBE_GAP_MS = 1000;
/**
 * Milliseconds that the limit is held down before a probe. Earlier the reads would only show the queue of the first
 * moments of an overload; later a slower table would lose too many reads.
 */
const HELD_DOWN_MS = 200;

/** Decides when a probe is due. */
export class ProbeSchedule {
  readonly #clock: Clock;
  #probedAtMs: number;
  /** The limit before latency held it down. */
  #freeLimit: number;
  /** Start and latest moment of the time in which latency holds the limit down, pauses included. */
  #heldDownSinceMs = Number.NEGATIVE_INFINITY;
  #heldDownAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, initialLimit: number) {
    this.#clock = clock;
    this.#probedAtMs = clock.monotonicNow();
    this.#freeLimit = initialLimit;
  }

  recordFree(limit: number): void {
    this.#freeLimit = limit;
  }

  recordHeldDown(): void {
    const nowMs = this.#clock.monotonicNow();
    if (nowMs - this.#heldDownAtMs >= PROBE_AFTER_MS) this.#heldDownSinceMs = nowMs;
    this.#heldDownAtMs = nowMs;
  }

  /** Whether a probe starts now, once per due probe. */
  startsProbe(limit: number): boolean {
    if (this.#heldDownAtMs - this.#heldDownSinceMs < HELD_DOWN_MS) return false;
    const nowMs = this.#clock.monotonicNow();
    const sinceMs = nowMs - this.#probedAtMs;
    const isDue = sinceMs >= PROBE_AFTER_MS || (limit <= this.#freeLimit / 2 && sinceMs >= MIN_PROBE_GAP_MS);
    if (isDue) this.#probedAtMs = nowMs;
    return isDue;
  }
}
