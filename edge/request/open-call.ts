// Opens a Call from a request: the deadline, the caller's place, and the regions in the order in which they are tried.
import type { Context } from 'hono';
import { type Coordinates, DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import { DEADLINE_HEADER, readDeadlineMs } from '../../shared/wire/deadline.ts';
import type { Call } from './call.ts';
import { type Place, placeOf } from './place.ts';
import { traceparentOf } from './request-id.ts';
import type { Timings } from './timings.ts';
import type { Trace } from './trace.ts';

/** The start of a request. */
export interface Arrival {
  readonly requestId: string;
  readonly receivedAtMs: number;
  readonly timings: Timings;
  readonly trace: Trace | undefined;
}

export interface CallSettings {
  readonly config: {
    readonly requestDeadlineMs: number;
    readonly devLocations: Readonly<Record<string, Coordinates>> | undefined;
  };
  readonly routing: { regionsFor(place: Place): readonly Region[] };
}

/**
 * Throws `invalid_request` for a location that is not allowed or not known, and what readDeadlineMs throws.
 */
export function openCall(
  { config, routing }: CallSettings,
  c: Context,
  { requestId, receivedAtMs, timings, trace }: Arrival,
): Call {
  const place = placeOf(c.req.raw, config.devLocations);
  return {
    deadlineAtMs: receivedAtMs + deadlineMsOf(c, config.requestDeadlineMs),
    place,
    regions: routing.regionsFor(place),
    failedRegions: new Set(),
    requestId,
    traceparent: traceparentOf(c),
    trace,
    devLocation: config.devLocations === undefined ? undefined : c.req.header(DEV_LOCATION_HEADER),
    timings,
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  };
}

/** The caller's deadline if it is shorter than `maxMs`. */
const deadlineMsOf = (c: Context, maxMs: number): number =>
  Math.min(maxMs, readDeadlineMs(c.req.header(DEADLINE_HEADER), 'edge') ?? maxMs);
