// How many keys may be under way at once, found out by watching latency: more than that only lengthens the queue inside the server.
//
// A gradient, as in Netflix' Gradient2Limit (github.com/Netflix/concurrency-limits) and Envoy's adaptive concurrency filter: at the end of
// a window the limit is multiplied by what latency is tolerated over what latency was, and gets the square root of itself on top, so that
// it keeps looking for more. Where it differs, and why:
// - More latency is tolerated as long as little is refused than in overload, where it gains nothing and all are late by it.
// - A key of a heavy read counts as much as one that comes alone, so a read counts by its weight, against the baseline of its weight.
// - The limit grows only when it is used, and sinks back towards what is used (RFC 7661, congestion window validation): what was never
//   tried is no knowledge.
// - The baseline learns from reads that found next to nothing under way. Under a load that leaves no such moment it stands still, so that
//   overload never becomes the norm. When it is the latency that holds the limit down, a probe (below) tells overload from a slower table.
//
// A probe: (1) for a moment only PROBE_SHARE of the limit may be under way; the server works off what it has, so that it is busy all the
// same; (2) the next reads tell what a read takes without the others; (3) if that is the baseline, it was overload, and the limit goes on
// as it was; (4) if it is more, the table is slower for good: all baselines and the limit grow by that factor. In overload a probe lowers
// the baseline as often as it raises it: with PROBE_SHARE * TOLERANCE below 1 an error shrinks from probe to probe. Envoy measures so at
// fixed times and Netflix averages all samples: the one costs traffic when nothing is wrong, the other takes overload for the norm in the
// end.
import type { Clock } from '../../shared/runtime/clock.ts';
import { createBaseline } from './latency-baseline.ts';
import { FULL_OVERLOAD } from './queue-delay-limit.ts';

export interface ReadSample {
  /** From the start of the read to its end, without the time that it waited in the bulkhead. */
  readonly latencyMs: number;
  /** Keys of the read. */
  readonly weight: number;
  /** Keys under way when the read had started, its own among them. */
  readonly inFlight: number;
  /** `failed` is any failure but the deadline's, and says nothing about congestion. */
  readonly outcome: 'ok' | 'deadline' | 'failed';
  /** Of what arrived lately, the part that was refused: 0 to 1. */
  readonly refusedShare: number;
}

export interface ConcurrencyLimit {
  /** Keys: as long as fewer are under way, another read may start. A whole number, at least 1. */
  limit(): number;
  observe(sample: ReadSample): void;
  /** ms that a read of `weight` keys takes as things are now; 0 as long as nothing is known. */
  expectMs(weight: number): number;
}

export interface ConcurrencyLimitOptions {
  readonly clock: Clock;
  /** Keys, from minLimit to maxLimit. Default: 200 */
  readonly initialLimit?: number;
  /** Keys, at least 1. Default: 50 */
  readonly minLimit?: number;
  /** Keys. Default: 4000 */
  readonly maxLimit?: number;
}

/** How many times the baseline a read may take: with bursts as with merged reads, which wait for a call that is out. */
const TOLERANCE = 2;
/**
 * The same in full overload, where there is no lull that a longer queue at the server would help over. In simulation with reads of up to 200 keys a
 * tenth of the capacity is lost by it at the most, at 1.5 a twelfth, at 1.3 an eighth.
 */
const OVERLOAD_TOLERANCE = 1.4;
/** Half way to the target when growing; the whole way when shrinking, because until then every read is late. */
const GROWTH = 0.5;
const MIN_GRADIENT = 0.5;
const MAX_GRADIENT = 1.25;
/** A window is over after so long and so many samples, or already when it has many. */
const WINDOW = { longMs: 100, fewSamples: 10, shortMs: 50, manySamples: 100 };
/** One read that took ages must not speak for the window. */
const MAX_RATIO = 8;
/** A limit of which less was used sinks, by so much a window. */
const USED_SHARE = 0.5;
const DECAY = 0.95;
/** A limit of which less was used does not grow. One that is nearly used does, before it is in the way. */
const GROWTH_SHARE = 0.8;

/** From a probe to the next while latency holds the limit down, in ms. */
const PROBE_AFTER_MS = 10_000;
/**
 * For so long it has to be held down before there is one, in ms: in the first moments of an overload a queue has formed that would wait for its
 * end, and no reads would be later than those. With more than a window more, a table that has become slower is cut off from too much.
 */
const HELD_MS = 200;
const PROBE_SHARE = 1 / 8;
const PROBE_SAMPLES = 12;
const MAX_PROBE_MS = 2000;
/** Between probes that are made because the limit was halved. */
const MIN_PROBE_GAP_MS = 1000;
/** A probe that finds less than this found nothing but noise as far as the limit goes. */
const SLOWER = 1.2;

interface Sums {
  readonly sinceMs: number;
  samples: number;
  /** Both in ms times keys. */
  took: number;
  expected: number;
  /** The most keys that were under way. */
  peak: number;
}

interface Probe {
  readonly sums: Sums;
  /** Reads of a weight that nothing was known of. */
  readonly firsts: { readonly weight: number; readonly latencyMs: number }[];
}

export function createConcurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  const { clock, initialLimit = 200, minLimit = 50, maxLimit = 4000 } = options;
  const clamp = (value: number): number => Math.min(maxLimit, Math.max(minLimit, value));
  const begin = (): Sums => ({ sinceMs: clock.monotonicNow(), samples: 0, took: 0, expected: 0, peak: 0 });
  const baseline = createBaseline();
  let limit = clamp(initialLimit);
  let window = begin();
  let tolerated = TOLERANCE;
  /** Latency over baseline in the last window. */
  let congestion = 1;
  let probe: Probe | undefined;
  let probedAtMs = clock.monotonicNow();
  /** The limit before latency held it down; since when it does, be it with pauses, and when it did last. */
  let freeLimit = limit;
  let heldSinceMs = Number.NEGATIVE_INFINITY;
  let heldAtMs = Number.NEGATIVE_INFINITY;

  function endWindow({ took, expected, peak }: Sums): void {
    window = begin();
    congestion = took / expected;
    if (probe !== undefined) return;
    const gradient = Math.min(MAX_GRADIENT, Math.max(MIN_GRADIENT, tolerated / congestion));
    const target = gradient * limit + Math.sqrt(limit);
    if (target < limit) {
      limit = clamp(target);
      noteHeld();
      if (isProbeDue()) beginProbe();
      return;
    }
    if (peak >= limit * GROWTH_SHARE) limit = clamp(limit + GROWTH * (target - limit));
    else if (peak < limit * USED_SHARE) limit = Math.max(Math.min(limit, clamp(initialLimit)), limit * DECAY);
    if (gradient >= 1) freeLimit = limit;
  }

  function noteHeld(): void {
    const nowMs = clock.monotonicNow();
    if (nowMs - heldAtMs >= PROBE_AFTER_MS) heldSinceMs = nowMs;
    heldAtMs = nowMs;
  }

  function isProbeDue(): boolean {
    if (heldAtMs - heldSinceMs < HELD_MS) return false;
    const sinceMs = clock.monotonicNow() - probedAtMs;
    return sinceMs >= PROBE_AFTER_MS || (limit <= freeLimit / 2 && sinceMs >= MIN_PROBE_GAP_MS);
  }

  function beginProbe(): void {
    probe = { sums: begin(), firsts: [] };
    probedAtMs = clock.monotonicNow();
  }

  function endProbe({ sums: { took, expected, samples }, firsts }: Probe): void {
    probe = undefined;
    window = begin();
    freeLimit = limit;
    // A few reads that happened to be the only ones are better than none, but one is not.
    if (samples >= PROBE_SAMPLES / 3) {
      const factor = took / expected;
      baseline.scale(factor);
      if (factor > SLOWER) limit = clamp(limit * factor);
    }
    for (const { weight, latencyMs } of firsts) baseline.learn(weight, latencyMs);
  }

  function add(sums: Sums, weight: number, took: number, expected: number): void {
    sums.samples++;
    sums.took += weight * Math.min(took, MAX_RATIO * TOLERANCE * expected);
    sums.expected += weight * expected;
  }

  return {
    limit: () => Math.max(1, Math.floor(probe === undefined ? limit : limit * PROBE_SHARE)),
    expectMs: (weight) => (baseline.expectMs(weight) ?? 0) * congestion,
    observe: ({ latencyMs, weight, inFlight, outcome, refusedShare }) => {
      if (outcome === 'failed') return;
      tolerated = TOLERANCE - (TOLERANCE - OVERLOAD_TOLERANCE) * Math.min(1, refusedShare / FULL_OVERLOAD);
      const expected = baseline.expectMs(weight);
      const isAlone = inFlight - weight <= limit * PROBE_SHARE;
      // A read that was cut off sooner than what is tolerated says nothing; one cut off later would have taken longer still.
      const isSample = expected !== undefined && (outcome === 'ok' || latencyMs >= tolerated * expected);
      const tookMs = outcome === 'ok' ? latencyMs : 2 * latencyMs;
      const nowMs = clock.monotonicNow();
      if (isSample) {
        add(window, weight, tookMs, expected);
        window.peak = Math.max(window.peak, inFlight);
      }
      // What ran out of time does not tell how long the table takes, so no probe makes it the norm.
      if (outcome === 'ok' && isAlone) {
        if (probe === undefined) baseline.learn(weight, latencyMs);
        else if (nowMs - latencyMs >= probe.sums.sinceMs) {
          if (expected === undefined) probe.firsts.push({ weight, latencyMs });
          else add(probe.sums, weight, latencyMs, expected);
        }
      }
      if (probe !== undefined && isProbeOver(probe, nowMs)) endProbe(probe);
      if (isOver(window, nowMs)) endWindow(window);
    },
  };
}

const isProbeOver = ({ sums, firsts }: Probe, nowMs: number): boolean =>
  sums.samples + firsts.length >= PROBE_SAMPLES || nowMs - sums.sinceMs >= MAX_PROBE_MS;

function isOver({ sinceMs, samples }: Sums, nowMs: number): boolean {
  const { longMs, fewSamples, shortMs, manySamples } = WINDOW;
  const ageMs = nowMs - sinceMs;
  return (ageMs >= longMs && samples >= fewSamples) || (ageMs >= shortMs && samples >= manySamples);
}
