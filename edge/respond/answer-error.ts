// The answer to a thrown error: one log line for a fault of Earshot, and a problem that names every cache and region
// that was asked.
import type { Context } from 'hono';
import { routePath } from 'hono/route';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type EarshotError, toEarshotError } from '../../shared/wire/errors.ts';
import { type Log, logFailure } from '../log.ts';
import { ManifestError } from '../manifest/manifest-error.ts';
import { ReadError } from '../reads/serve-reads.ts';
import { describeRequest, requestIdOf, traceparentOf } from '../request/request-id.ts';
import { serializeCacheStatus, serializeManifestStatus } from './cache-status.ts';
import { REGIONS_HEADER, serializeRegions } from './debug.ts';
import { respondWithProblem } from './problem.ts';

const DEBUG_REGIONS = 'debugRegions';

/** The caller may see debug output, also if the request fails. `regions` are in the caller's order. */
export const allowDebugOutput = (c: Context, regions: readonly Region[]): void => c.set(DEBUG_REGIONS, regions);

export function answerError({ clock, log }: { clock: Clock; log: Log }, thrown: unknown, c: Context): Response {
  const error = toEarshotError(thrown, 'edge');
  const requestId = requestIdOf(c);
  logFailure(log, 'request_failed', error, {
    route: routePath(c, -1),
    ...describeRequest(requestId, traceparentOf(c)),
  });
  const regions = c.get(DEBUG_REGIONS) as readonly Region[] | undefined;
  const cacheStatus = cacheStatusOf(error, clock.now(), regions !== undefined);
  return respondWithProblem(error, requestId, {
    ...(cacheStatus === '' ? {} : { 'Cache-Status': cacheStatus }),
    ...(regions === undefined ? {} : { [REGIONS_HEADER]: serializeRegions(regions) }),
  });
}

function cacheStatusOf(error: EarshotError, nowMs: number, withKeys: boolean): string {
  if (error instanceof ReadError) return serializeCacheStatus(error.trails, nowMs, withKeys);
  return error instanceof ManifestError ? serializeManifestStatus(error.trail, withKeys) : '';
}
