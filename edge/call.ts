// What belongs to one request and no other: its deadline, the caller's order of regions, its timings, and the door for background work.
// Nothing in here may be kept beyond the request; objects that live as long as the isolate take it as an argument.
import type { Clock } from '../shared/clock.ts';
import type { Region } from '../shared/regions.ts';
import type { Timings } from './server-timing.ts';

export interface Call {
  /** When the request must have its answer. */
  readonly deadlineAtMs: number;
  /** All regions, in the order in which this caller asks them. */
  readonly regions: readonly Region[];
  /** Names of the regions that failed for this request as a whole; they are not asked again for it. */
  readonly failedRegions: Set<string>;
  /** W3C trace context to hand on, if the caller sent a valid one. */
  readonly traceparent: string | undefined;
  /** Where the caller says it is, in the local cloud only; handed on so that the way there can be made as long as it would be. */
  readonly devLocation?: string | undefined;
  readonly timings: Timings;
  /** The one door for work that outlives the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/** Milliseconds until the deadline, never below 0. */
export const remainingMs = ({ deadlineAtMs }: Pick<Call, 'deadlineAtMs'>, clock: Clock): number =>
  Math.max(0, deadlineAtMs - clock.now());

/** The caller's `traceparent` when it has the form of W3C Trace Context, section 3.2. */
export const readTraceparent = (header: string | undefined): string | undefined =>
  header !== undefined && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(header) ? header : undefined;
