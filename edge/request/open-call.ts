// Opens a Call from a request: the deadline, the caller's place, and the regions in the order in which they are tried.
import type { Context } from 'hono';
import { type Coordinates, DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { DEADLINE_HEADER } from '../../shared/wire/read-request.ts';
import type { Call } from './call.ts';
import { type Place, placeOf } from './place.ts';
import { traceparentOf } from './request-id.ts';
import type { Timings } from './timings.ts';

/** The start of a request. */
export interface Arrival {
  readonly requestId: string;
  readonly receivedAtMs: number;
  readonly timings: Timings;
}

export interface CallSettings {
  readonly config: {
    readonly requestDeadlineMs: number;
    readonly devLocations: Readonly<Record<string, Coordinates>> | undefined;
  };
  readonly routing: { regionsFor(place: Place): readonly Region[] };
}

/**
 * Throws `invalid_request` for a location that is not allowed or not known, and `deadline_exceeded` for a deadline of
 * 0.
 */
export function openCall(
  { config, routing }: CallSettings,
  c: Context,
  { requestId, receivedAtMs, timings }: Arrival,
): Call {
  const place = placeOf(c.req.raw, config.devLocations);
  return {
    deadlineAtMs: receivedAtMs + deadlineMsOf(c, config.requestDeadlineMs),
    place,
    regions: routing.regionsFor(place),
    failedRegions: new Set(),
    requestId,
    traceparent: traceparentOf(c),
    devLocation: config.devLocations === undefined ? undefined : c.req.header(DEV_LOCATION_HEADER),
    timings,
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  };
}

/** The caller's deadline if it is shorter than `maxMs`. The route's schema refuses a header that is not a number. */
function deadlineMsOf(c: Context, maxMs: number): number {
  const header = c.req.header(DEADLINE_HEADER);
  if (header === undefined) return maxMs;
  if (Number(header) === 0) throw new EarshotError('deadline_exceeded', 'edge', 'the deadline had passed on arrival');
  return Math.min(maxMs, Number(header) || maxMs);
}
