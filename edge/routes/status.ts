// `GET /internal/v1/status`: this isolate's view of the regions, and its counters. It needs the scope recs:status.
// Other isolates can differ.
import type { Context } from 'hono';
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { EdgeDeps } from '../deps.ts';
import { requireScope } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { placeOf } from '../request/place.ts';
import { everyAnswer } from '../respond/every-answer.ts';
import { readCallerHeaders, refuseQuery } from './validation.ts';

type StatusDeps = Pick<EdgeDeps, 'config' | 'counters' | 'manifests' | 'routing'>;

/** Throws `forbidden` without the scope, and what readCallerHeaders, refuseQuery and placeOf throw. */
export function answerStatus(
  { config, counters, manifests, routing }: StatusDeps,
  { req }: Context,
  { identity, requestId }: Caller,
): Response {
  readCallerHeaders(req);
  refuseQuery(req);
  requireScope(identity, 'recs:status');
  const status: EdgeStatus = {
    ...routing.status(placeOf(req.raw, config.devLocations)),
    manifest: manifests.status(),
    counters: counters.snapshot(),
  };
  return Response.json(status, { headers: { ...everyAnswer(requestId), 'Cache-Control': 'no-store' } });
}
