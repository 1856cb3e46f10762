// The state of one request: deadline, regions in order, timings, and the door for background work. It must not outlive
// the request; isolate-wide objects take it as an argument.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { Switches } from '../../shared/domain/effects/switches.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { ByteHold } from '../../shared/runtime/byte-account.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Place } from './place.ts';
import { createTimings, type Timings } from './timings.ts';
import type { Trace } from './trace.ts';

export interface Call {
  /** Moment by which the request must be answered, or a load that requests share must have ended. */
  readonly deadlineAtMs: number;
  /** For a shared load: the latest moment until which a request waits for it. Default: `deadlineAtMs`. */
  readonly waitedForUntilMs?: (() => number) | undefined;
  readonly place: Place;
  /** Regions that this request may try, in order. */
  readonly regions: readonly Region[];
  /** Names of regions that failed as a whole during this request. They are not tried again for a list. */
  readonly failedRegions: Set<string>;
  /** Id of the request in answers and log lines, here, in region objects and at origins. */
  readonly requestId: string;
  /** The caller's W3C trace context, if it sent a valid one. */
  readonly traceparent: string | undefined;
  /** Default: the request is not recorded. */
  readonly trace?: Trace | undefined;
  /** Location that the caller names. Local cloud only: the region proxies add its round-trip time. */
  readonly devLocation?: string | undefined;
  readonly timings: Timings;
  /** Switches of the manifest that the request is answered under. Default: none is on. */
  readonly switches?: Switches | undefined;
  /** Bytes of loads that the request keeps until it is answered. Default: each load counts only while it is read. */
  readonly held?: ByteHold | undefined;
  /** Fires when no caller waits for the result. Default: never. */
  readonly cancellation?: Cancellation | undefined;
  /** The one door for work that outlives the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * `call` for work behind the answer, with `timeoutMs` of its own: the caller's deadline, cancellation and failures do
 * not bind it, and its failures and timings do not appear in the answer. Its steps are in the request's trace.
 */
export const detach = (call: Call, clock: Clock, timeoutMs: number): Call => ({
  ...call,
  deadlineAtMs: clock.now() + timeoutMs,
  waitedForUntilMs: undefined,
  failedRegions: new Set(),
  cancellation: undefined,
  held: undefined,
  timings: createTimings(clock, call.trace),
});

/** Milliseconds until the deadline, never below 0. */
export const remainingMs = ({ deadlineAtMs }: Pick<Call, 'deadlineAtMs'>, clock: Clock): number =>
  Math.max(0, deadlineAtMs - clock.now());

/** Milliseconds for which a request still waits for the result, never below 0. */
export const waitedForMs = ({ deadlineAtMs, waitedForUntilMs }: Call, clock: Clock): number =>
  Math.max(0, Math.min(deadlineAtMs, waitedForUntilMs?.() ?? deadlineAtMs) - clock.now());
