// `GET /internal/v1/status`: what this isolate thinks of the regions and what it has counted, for services that may read everybody's lists.
// Another isolate may think otherwise.
import type { EdgeStatus } from '../../shared/wire/edge-status.ts';
import type { EdgeDeps } from '../deps.ts';
import { requireScope } from '../identity/access.ts';
import type { Identity } from '../identity/identity.ts';
import { placeOf } from '../request/place.ts';
import { EVERY_ANSWER } from '../respond/every-answer.ts';

type StatusDeps = Pick<EdgeDeps, 'config' | 'counters' | 'routing'>;

/** Throws an AccessError without the scope, and `invalid_request` for a place that may not, or cannot, be named. */
export function answerStatus(
  { config, counters, routing }: StatusDeps,
  request: Request,
  identity: Identity,
): Response {
  requireScope(identity, 'recs:read:any');
  const status: EdgeStatus = {
    ...routing.status(placeOf(request, config.devLocations)),
    counters: counters.snapshot(),
  };
  return Response.json(status, { headers: { ...EVERY_ANSWER, 'Cache-Control': 'no-store' } });
}
