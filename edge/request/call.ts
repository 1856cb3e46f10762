// What belongs to one request and no other: its deadline, the caller's order of regions, its timings, and the door for background work.
// Nothing in here may be kept beyond the request; objects that live as long as the isolate take it as an argument.

import type { Presence } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Place } from '../upstream/round-trips.ts';
import { createTimings, type Timings } from './timings.ts';

export interface Call {
  /** When the request must have its answer. */
  readonly deadlineAtMs: number;
  /** Where it is from, as far as the way to the regions goes. */
  readonly place: Place;
  /** The regions that it may ask, in the order in which it does. */
  readonly regions: readonly Region[];
  /** Names of the regions that failed for this request as a whole; they are not asked for a list again in it. */
  readonly failedRegions: Set<string>;
  /** W3C trace context to hand on, if the caller sent a valid one. */
  readonly traceparent: string | undefined;
  /** Where the caller says it is, in the local cloud only; handed on so that the way there can be made as long as it would be. */
  readonly devLocation?: string | undefined;
  readonly timings: Timings;
  /** Whether anybody still wants what is asked for. Default: somebody always does. */
  readonly presence?: Presence | undefined;
  /** The one door for work that outlives the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/** `call` for work that goes on behind its answer: what that meets with is not to be seen in the answer. */
export const detach = (call: Call, clock: Clock): Call => ({
  ...call,
  failedRegions: new Set(call.failedRegions),
  timings: createTimings(clock),
});

/** Milliseconds until the deadline, never below 0. */
export const remainingMs = ({ deadlineAtMs }: Pick<Call, 'deadlineAtMs'>, clock: Clock): number =>
  Math.max(0, deadlineAtMs - clock.now());

/**
 * Milliseconds, at least 1, that one call to `region` may take: `maxMs`, or an even share of what is left of the deadline among it and the
 * regions after it that may still be asked. So those that hang never use up the time of one that would answer.
 */
export function shareOfDeadlineMs(call: Call, region: Region, clock: Clock, maxMs: number): number {
  const from = call.regions.findIndex(({ name }) => name === region.name);
  const after = call.regions.slice(from + 1).filter(({ name }) => !call.failedRegions.has(name));
  return Math.max(1, Math.floor(Math.min(maxMs, remainingMs(call, clock) / (1 + after.length))));
}

/** The caller's `traceparent` when it has the form of W3C Trace Context, section 3.2; ids of zeros alone are none. */
export const readTraceparent = (header: string | undefined): string | undefined =>
  header !== undefined && /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/.test(header)
    ? header
    : undefined;

/** The part of a valid `traceparent` that all of a trace share, for log lines. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);
