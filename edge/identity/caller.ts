// Who asks, and what of theirs the rest of a request needs.
import type { Context } from 'hono';
import { DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { DEADLINE_HEADER } from '../../shared/wire/read-request.ts';
import type { EdgeDeps } from '../deps.ts';
import { type Call, readTraceparent } from '../request/call.ts';
import { placeOf } from '../request/place.ts';
import { createTimings, type Timings } from '../request/timings.ts';
import type { Identity } from './identity.ts';

export interface Caller {
  readonly receivedAtMs: number;
  readonly timings: Timings;
  readonly identity: Identity;
}

type CallerDeps = Pick<EdgeDeps, 'clock' | 'config' | 'identity' | 'routing'>;

/**
 * What `answer` gives for the caller. It is called at once for one who is remembered, because what waits for nothing costs half as much. Throws,
 * or rejects with, an AccessError for a token that is missing or not valid.
 */
export function withCaller<T>(
  { clock, identity }: CallerDeps,
  c: Context,
  answer: (caller: Caller) => T | Promise<T>,
): T | Promise<T> {
  const timings = createTimings(clock);
  const receivedAtMs = clock.now();
  const authorization = c.req.header('authorization');
  const known = identity.recall(authorization);
  if (known !== undefined) {
    timings.note('token');
    return answer({ receivedAtMs, timings, identity: known });
  }
  const waitUntil = (work: Promise<unknown>): void => c.executionCtx.waitUntil(work);
  return timings
    .time('token', () => identity.verify(authorization, waitUntil))
    .then((verified) => answer({ receivedAtMs, timings, identity: verified }));
}

/** The caller's own time when that is less; what is no number is refused by the route's schema. Throws `deadline_exceeded` for none. */
function deadlineMsOf(c: Context, mostMs: number): number {
  const header = c.req.header(DEADLINE_HEADER);
  if (header === undefined) return mostMs;
  if (Number(header) === 0) throw new EarshotError('deadline_exceeded', 'edge', 'the deadline had passed on arrival');
  return Math.min(mostMs, Number(header) || mostMs);
}

/** Throws `invalid_request` for a place that may not, or cannot, be named. */
export function openCall({ config, routing }: CallerDeps, c: Context, { receivedAtMs, timings }: Caller): Call {
  const place = placeOf(c.req.raw, config.devLocations);
  return {
    deadlineAtMs: receivedAtMs + deadlineMsOf(c, config.requestDeadlineMs),
    place,
    regions: routing.regionsFor(place),
    failedRegions: new Set(),
    traceparent: readTraceparent(c.req.header('traceparent')),
    devLocation: config.devLocations === undefined ? undefined : c.req.header(DEV_LOCATION_HEADER),
    timings,
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  };
}
