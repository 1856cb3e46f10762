// `GET /internal/v1/status`: this isolate's view of the regions, and its counters. It needs the scope recs:status.
// Other isolates can differ.
import type { Context } from 'hono';
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { EdgeDeps } from '../deps.ts';
import { requireScope } from '../identity/access.ts';
import { NOWHERE, placeOf } from '../request/place.ts';
import { everyAnswer } from '../respond/every-answer.ts';
import type { Caller } from './caller.ts';
import { readCallerHeaders, refuseQuery } from './validation.ts';

type StatusDeps = Pick<
  EdgeDeps,
  'builds' | 'config' | 'costs' | 'counters' | 'limits' | 'manifests' | 'objects' | 'routing' | 'shadow'
>;

/** Throws `forbidden` without the scope, and what readCallerHeaders, refuseQuery and placeOf throw. */
export function answerStatus(
  { builds, config, costs, counters, limits, manifests, objects, routing, shadow }: StatusDeps,
  { req }: Context,
  { identity, requestId }: Caller,
): Response {
  readCallerHeaders(req);
  refuseQuery(req);
  limits.admit(identity, 1);
  requireScope(identity, 'recs:status');
  const place = placeOf(req.raw, config.devLocations);
  const status: EdgeStatus = {
    ...routing.status(place),
    manifest: manifests.status(),
    counters: counters.snapshot(),
    callers: costs.all(),
    shadow: shadow.status(),
    builds: builds.all(),
    // All parts of a local cloud are at one place.
    objects: objects.status(config.isLocal ? NOWHERE : place),
  };
  return Response.json(status, { headers: { ...everyAnswer(requestId), 'Cache-Control': 'no-store' } });
}
