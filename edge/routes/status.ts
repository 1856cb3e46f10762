// `GET /internal/v1/status`: this isolate's view of the regions, and its counters. It needs the scope recs:status.
// Other isolates can differ.
import type { Context } from 'hono';
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { EdgeDeps } from '../deps.ts';
import { requireScope } from '../identity/access.ts';
import { placeOf } from '../request/place.ts';
import { everyAnswer } from '../respond/every-answer.ts';
import type { Caller } from './caller.ts';
import { readCallerHeaders, refuseQuery } from './validation.ts';

type StatusDeps = Pick<
  EdgeDeps,
  'builds' | 'config' | 'costs' | 'counters' | 'limits' | 'manifests' | 'routing' | 'shadow'
>;

/** Throws `forbidden` without the scope, and what readCallerHeaders, refuseQuery and placeOf throw. */
export function answerStatus(
  { builds, config, costs, counters, limits, manifests, routing, shadow }: StatusDeps,
  { req }: Context,
  { identity, requestId }: Caller,
): Response {
  readCallerHeaders(req);
  refuseQuery(req);
  limits.admit(identity, 1);
  requireScope(identity, 'recs:status');
  const status: EdgeStatus = {
    ...routing.status(placeOf(req.raw, config.devLocations)),
    manifest: manifests.status(),
    counters: counters.snapshot(),
    callers: costs.all(),
    shadow: shadow.status(),
    builds: builds.all(),
  };
  return Response.json(status, { headers: { ...everyAnswer(requestId), 'Cache-Control': 'no-store' } });
}
