// The state of one request: deadline, regions in order, timings, and the door for background work. It must not outlive
// the request; isolate-wide objects take it as an argument.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { ByteHold } from '../../shared/runtime/byte-account.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Place } from './place.ts';
import { createTimings, type Timings } from './timings.ts';

export interface Call {
  /** Moment by which the request must be answered. */
  readonly deadlineAtMs: number;
  readonly place: Place;
  /** Regions that this request may try, in order. */
  readonly regions: readonly Region[];
  /** Names of regions that failed as a whole during this request. They are not tried again for a list. */
  readonly failedRegions: Set<string>;
  /** Id of the request in answers and log lines, here, in region objects and at origins. */
  readonly requestId: string;
  /** W3C trace context to pass on, if the caller sent a valid one. */
  readonly traceparent: string | undefined;
  /** Location that the caller names. Local cloud only: the region proxies add its round-trip time. */
  readonly devLocation?: string | undefined;
  readonly timings: Timings;
  /** Bytes of loads that the request keeps until it is answered. Default: each load counts only while it is read. */
  readonly held?: ByteHold | undefined;
  /** Fires when no caller waits for the result. Default: never. */
  readonly cancellation?: Cancellation | undefined;
  /** The one door for work that outlives the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/** `call` for work behind the answer. Its failures and timings do not appear in the answer. */
export const detach = (call: Call, clock: Clock): Call => ({
  ...call,
  failedRegions: new Set(call.failedRegions),
  held: undefined,
  timings: createTimings(clock),
});

/** Milliseconds until the deadline, never below 0. */
export const remainingMs = ({ deadlineAtMs }: Pick<Call, 'deadlineAtMs'>, clock: Clock): number =>
  Math.max(0, deadlineAtMs - clock.now());

/**
 * Time limit of one call to `region` in milliseconds, at least 1: `maxMs`, or an even share of the remaining time among
 * this region and the later ones that can still be tried. A region that hangs thus leaves time for a region that would
 * answer.
 */
export function shareOfDeadlineMs(call: Call, region: Region, clock: Clock, maxMs: number): number {
  const from = call.regions.findIndex(({ name }) => name === region.name);
  const after = call.regions.slice(from + 1).filter(({ name }) => !call.failedRegions.has(name));
  return Math.max(1, Math.floor(Math.min(maxMs, remainingMs(call, clock) / (1 + after.length))));
}
