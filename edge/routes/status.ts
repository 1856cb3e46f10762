// `GET /internal/v1/status`: this isolate's view of the regions, and its counters. It needs the scope recs:read:any.
// Other isolates can differ.
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { EdgeDeps } from '../deps.ts';
import { requireScope } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { placeOf } from '../request/place.ts';
import { everyAnswer } from '../respond/every-answer.ts';

type StatusDeps = Pick<EdgeDeps, 'config' | 'counters' | 'manifests' | 'routing'>;

/** Throws `forbidden` without the scope, and `invalid_request` for a location that is not allowed or not known. */
export function answerStatus(
  { config, counters, manifests, routing }: StatusDeps,
  request: Request,
  { identity, requestId }: Caller,
): Response {
  requireScope(identity, 'recs:read:any');
  const status: EdgeStatus = {
    ...routing.status(placeOf(request, config.devLocations)),
    manifest: manifests.status(),
    counters: counters.snapshot(),
  };
  return Response.json(status, { headers: { ...everyAnswer(requestId), 'Cache-Control': 'no-store' } });
}
