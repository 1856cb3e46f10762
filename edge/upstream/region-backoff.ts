// The isolate's memory of regions besides ejection: back-off of those that shed reads (Retry-After), refusals of those
// that answer 4xx, and those that no attempt has judged lately.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

/** Hedges and failovers pass over a region that backs off; a first attempt does not. */
export interface RegionBackoff {
  start(region: Region, ms?: number): void;
  isBackingOff(region: Region): boolean;
}

/** Back-off in milliseconds if the region names none. */
const DEFAULT_MS = 1_000;
const MAX_MS = 30_000;

export function createRegionBackoff(clock: Clock): RegionBackoff {
  const untilMs = new Map<string, number>();
  return {
    start: ({ name }, ms = DEFAULT_MS) => {
      const endMs = clock.now() + Math.min(MAX_MS, ms);
      untilMs.set(name, Math.max(endMs, untilMs.get(name) ?? 0));
    },
    isBackingOff: ({ name }) => clock.now() < (untilMs.get(name) ?? 0),
  };
}

/**
 * A region that refuses every call is tried last for a while: the edge's access to it is broken, and each read would
 * pay a round trip to learn that. One refused key is not enough, because the key may be at fault.
 */
export interface Refusals {
  record(region: Region, isRefused: boolean): void;
  isRefusing(region: Region): boolean;
}

/** Refusals without an answer between them. */
export const REFUSALS = 5;
export const REFUSING_MS = 5_000;

export function createRefusals(clock: Clock): Refusals {
  const inARow = new Map<string, number>();
  const untilMs = new Map<string, number>();
  return {
    record: ({ name }, isRefused) => {
      const count = isRefused ? (inARow.get(name) ?? 0) + 1 : 0;
      inARow.set(name, count);
      if (count >= REFUSALS) untilMs.set(name, clock.now() + REFUSING_MS);
    },
    isRefusing: ({ name }) => clock.now() < (untilMs.get(name) ?? 0),
  };
}

/**
 * Regions that were tried, and of which no attempt said anything lately, because every caller had less time than the
 * region usually needs. One probe with a deadline of its own then replaces the judgement of the callers' attempts.
 */
export interface Unjudged {
  record(region: string): void;
  recordJudged(region: string): void;
  /** A region to probe, at most one in UNJUDGED_MS each. */
  takeProbe(): string | undefined;
}

/** An attempt or a probe within this time is enough knowledge. */
export const UNJUDGED_MS = 500;

export function createUnjudged(clock: Clock): Unjudged {
  const waiting = new Set<string>();
  const judgedAtMs = new Map<string, number>();

  function recordJudged(region: string): void {
    judgedAtMs.set(region, clock.now());
    waiting.delete(region);
  }

  return {
    record: (region) => {
      if (clock.now() - (judgedAtMs.get(region) ?? Number.NEGATIVE_INFINITY) >= UNJUDGED_MS) waiting.add(region);
    },
    recordJudged,
    takeProbe: () => {
      const [region] = waiting;
      // Its result comes later. Until then the region counts as judged.
      if (region !== undefined) recordJudged(region);
      return region;
    },
  };
}
