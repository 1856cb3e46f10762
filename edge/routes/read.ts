// One list by GET. If the isolate has manifest and list fresh, the answer needs no I/O; most requests are such, at half
// the cost of one that waits. All other reads, debug output included, wait for the manifest and the tiers.
import type { Context } from 'hono';
import type { Name, UserId } from '../../shared/domain/ids.ts';
import { DEFAULT_LIMIT } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import type { NearestRegion } from '../../shared/domain/rollout.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { EdgeDeps } from '../deps.ts';
import { withExposure } from '../exposures/with-exposure.ts';
import { checkAccess } from '../identity/access.ts';
import { chargeAnswer } from '../limits/charge-answer.ts';
import { costOf } from '../limits/read-cost.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import { openCall } from '../request/open-call.ts';
import { nearestRegionTo, placeOf } from '../request/place.ts';
import { allowDebugOutput } from '../respond/answer-error.ts';
import { respondWithList } from '../respond/list.ts';
import { attributesFor } from './attributes.ts';
import { type Caller, withCaller } from './caller.ts';
import { ownRoute, userRoute } from './openapi.ts';
import { createRequestReader } from './validation.ts';

type Handler = (c: Context) => Response | Promise<Response>;

/** The list of the token's own user. */
export function createOwnReadHandler(deps: EdgeDeps): Handler {
  const readRequest = createRequestReader(ownRoute.request);
  return (c) =>
    withCaller(deps, c, (caller) => {
      const { query, params, headers } = readRequest(c.req);
      const { debug } = headers;
      const { user } = caller.identity;
      return answerRead(deps, c, caller, { ...query, user, surface: params.surface, debug });
    });
}

/** The list of a named user. */
export function createUserReadHandler(deps: EdgeDeps): Handler {
  const readRequest = createRequestReader(userRoute.request);
  return (c) =>
    withCaller(deps, c, (caller) => {
      const { query, params, headers } = readRequest(c.req);
      return answerRead(deps, c, caller, { ...query, ...params, debug: headers.debug });
    });
}

interface ReadRequest {
  readonly user: UserId;
  readonly surface: Name;
  readonly debug: boolean;
  readonly limit?: number | undefined;
  readonly fallback?: 'popular' | 'none' | undefined;
  readonly variant?: Name | undefined;
  readonly expand?: Read['expand'];
  /** As a service names it for its user. */
  readonly country?: string | undefined;
}

interface Placed {
  /** In the order in which the answer's reads tried them. */
  readonly regions: readonly Region[];
  readonly nearestRegion: NearestRegion;
}

type Respond = (served: Served, manifest: Manifest, placed: Placed) => Response | Promise<Response>;

/** Throws, or rejects with, `forbidden`, `invalid_request`, or an error of serveReads or of the manifest store. */
function answerRead(deps: EdgeDeps, c: Context, caller: Caller, request: ReadRequest): Response | Promise<Response> {
  const { config, clock, limits, manifests, respondLarge, serveCached } = deps;
  const { user, surface, limit = DEFAULT_LIMIT, fallback = 'popular', variant, expand, debug } = request;
  const { timings } = caller;
  const attributes = attributesFor(c.req.raw, caller.identity, user, request.country);
  const read = { user, surface, fallback, variant, expand, attributes };
  const cost = costOf([read]);
  limits.admit(caller.identity, cost);
  checkAccess(caller.identity, [read], debug);
  const respond: Respond = (served, manifest, { regions, nearestRegion }) => {
    chargeAnswer(deps, caller.identity, cost, [served]);
    return withExposure(deps, { read, served, manifest, nearestRegion }, (exposure, shown) => {
      const answer = compose(served, manifest, regions, exposure);
      const noted = shown && c.req.method !== 'HEAD' ? deps.exposures?.noteServed([shown]) : undefined;
      if (noted !== undefined) c.executionCtx.waitUntil(noted);
      return answer;
    });
  };
  const compose = (served: Served, manifest: Manifest, regions: readonly Region[], exposure: string | undefined) =>
    respondWithList({
      requestId: caller.requestId,
      read,
      served,
      exposure,
      manifest,
      limit,
      ifNoneMatch: c.req.header('if-none-match'),
      deviceMaxAgeSeconds: config.deviceMaxAgeSeconds,
      nowMs: clock.now(),
      debug,
      timings,
      regions,
      builds: deps.builds,
      isHead: c.req.method === 'HEAD',
      maxBytes: config.maxAnswerBytes,
      respondLarge,
      waitUntil: (work) => c.executionCtx.waitUntil(work),
    });

  const needsPlace = debug || c.req.header(DEV_LOCATION_HEADER) !== undefined;
  const live = needsPlace ? undefined : manifests.getFresh();
  const nearestRegion = () => nearestRegionTo(placeOf(c.req.raw, undefined), config.regions);
  const cached = live && serveCached(read, live, nearestRegion, () => openCall(deps, c, caller));
  if (live === undefined || cached === undefined) return waitForRead(deps, c, caller, { read, debug, respond });
  timings.addInstant('manifest');
  return respond(cached, live, { regions: config.regions, nearestRegion });
}

async function waitForRead(
  deps: EdgeDeps,
  c: Context,
  caller: Caller,
  { read, debug, respond }: { read: Read; debug: boolean; respond: Respond },
): Promise<Response> {
  const call = openCall(deps, c, caller);
  if (debug) allowDebugOutput(c, call.regions);
  const [manifest] = await Promise.all([
    call.timings.time('manifest', () => deps.manifests.get(call)),
    deps.limits.admitAtLocation(caller.identity),
  ]);
  const [served] = await deps.serveReads([read], manifest, call);
  if (served === undefined) throw new Error('expected serveReads to return one outcome per read');
  if (served instanceof EarshotError) {
    chargeAnswer(deps, caller.identity, costOf([read]), [served]);
    throw served;
  }
  const nearestRegion = () => nearestRegionTo(call.place, deps.config.regions);
  return respond(served, manifest, { regions: call.regions, nearestRegion });
}
