// The worker's HTTP surface: routes, who may use them, and how errors leave. Everything that takes a decision about a list is behind `deps`.
import { OpenAPIHono } from '@hono/zod-openapi';
import { type Context, Hono } from 'hono';
import { EarshotError, toEarshotError } from '../shared/errors.ts';
import { DEFAULT_LIMIT } from '../shared/list.ts';
import { DEV_LOCATION_HEADER, type Region } from '../shared/regions.ts';
import { checkAccess } from './access.ts';
import { answerBatch } from './batch.ts';
import { BATCH_TYPE } from './batch-body.ts';
import { batchRoute, QUERY_PATH } from './batch-route.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { type Call, readTraceparent, traceIdOf } from './call.ts';
import { allowOrigins } from './cors.ts';
import { DEBUG_HEADER } from './debug.ts';
import type { EdgeDeps } from './deps.ts';
import { EVERY_ANSWER } from './every-answer.ts';
import type { Identity } from './identity.ts';
import { type Read, ReadError, type Served } from './ladder.ts';
import { logFailure } from './log.ts';
import type { LiveManifest } from './manifest-store.ts';
import { ownRoute, serveOpenApi, userRoute } from './openapi.ts';
import { placeOf } from './place.ts';
import { respondWithProblem } from './problem.ts';
import { respondWithList } from './respond.ts';
import { createTimings, type Timings } from './server-timing.ts';
import { orderRegions } from './upstream/region-order.ts';
import { createRequestReader } from './validation.ts';

/** Who asks, and since when. */
interface Caller {
  readonly receivedAtMs: number;
  readonly timings: Timings;
  readonly identity: Identity;
}

interface ReadOptions {
  readonly debug: boolean;
  readonly limit?: number | undefined;
  readonly fallback?: 'popular' | 'none' | undefined;
  readonly variant?: string | undefined;
}

export function createApp(deps: EdgeDeps): OpenAPIHono {
  const { config, clock, counters, log, identity, manifests, serveHeld, serveReads } = deps;
  const app = new OpenAPIHono();

  /** Calls `answer` at once for a caller who is remembered: what does not wait costs half as much. */
  function withCaller<T>(c: Context, answer: (caller: Caller) => T | Promise<T>): T | Promise<T> {
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

  function openCall(c: Context, { receivedAtMs, timings }: Caller): Call {
    return {
      deadlineAtMs: receivedAtMs + config.requestDeadlineMs,
      regions: orderRegions(config.regions, placeOf(c.req.raw, config.devLocations)),
      failedRegions: new Set(),
      traceparent: readTraceparent(c.req.header('traceparent')),
      devLocation: config.devLocations === undefined ? undefined : c.req.header(DEV_LOCATION_HEADER),
      timings,
      waitUntil: (work) => c.executionCtx.waitUntil(work),
    };
  }

  function answerRead(
    c: Context,
    caller: Caller,
    user: string,
    surface: string,
    options: ReadOptions,
  ): Response | Promise<Response> {
    const { limit = DEFAULT_LIMIT, fallback = 'popular', variant, debug } = options;
    const read = { user, surface, fallback, variant };
    checkAccess(caller.identity, [read], debug);
    const { timings } = caller;
    const respond = (served: Served, live: LiveManifest, regions: readonly Region[]): Response =>
      respondWithList({
        read,
        served,
        live,
        limit,
        ifNoneMatch: c.req.header('if-none-match'),
        deviceMaxAgeSeconds: config.deviceMaxAgeSeconds,
        nowMs: clock.now(),
        debug,
        timings,
        regions,
      });

    const fresh = debug || c.req.header(DEV_LOCATION_HEADER) !== undefined ? undefined : manifests.getFresh();
    const held = fresh === undefined ? undefined : serveHeld(read, fresh.manifest, () => openCall(c, caller));
    if (fresh !== undefined && held !== undefined) {
      timings.note('manifest');
      return respond(held, fresh, config.regions);
    }
    return waitForRead(c, caller, read, respond);
  }

  async function waitForRead(
    c: Context,
    caller: Caller,
    read: Read,
    respond: (served: Served, live: LiveManifest, regions: readonly Region[]) => Response,
  ): Promise<Response> {
    const call = openCall(c, caller);
    const live = await call.timings.time('manifest', () => manifests.get(call));
    const [served] = await serveReads([read], live.manifest, call);
    if (served === undefined) throw new Error('expected an outcome for every read; ladder.ts sees to it');
    if (served instanceof EarshotError) throw served;
    return respond(served, live, call.regions);
  }

  if (config.corsOrigins.length > 0) app.use('*', allowOrigins(config.corsOrigins));
  for (const route of [ownRoute, userRoute, batchRoute]) app.openAPIRegistry.registerPath(route);
  const readOwn = createRequestReader(ownRoute.request);
  app.get(ownRoute.getRoutingPath(), (c) =>
    withCaller(c, (caller) => {
      const { query, params, headers } = readOwn(c.req);
      const debug = headers[DEBUG_HEADER] !== undefined;
      return answerRead(c, caller, caller.identity.user, params.surface, { ...query, debug });
    }),
  );
  const readUser = createRequestReader(userRoute.request);
  app.get(userRoute.getRoutingPath(), (c) =>
    withCaller(c, (caller) => {
      const { query, params, headers } = readUser(c.req);
      const debug = headers[DEBUG_HEADER] !== undefined;
      return answerRead(c, caller, params.user, params.surface, { ...query, debug });
    }),
  );
  app.use(QUERY_PATH, async (c, next) => {
    await next();
    c.res.headers.set('Accept-Query', BATCH_TYPE);
  });
  const batch = (c: Context): Promise<Response> | Response =>
    withCaller(c, (caller) => answerBatch(deps, c.req.raw, caller.identity, openCall(c, caller)));
  app.on('QUERY', QUERY_PATH, batch);
  app.post(batchRoute.getRoutingPath(), batch);
  app.get('/openapi.json', serveOpenApi(app));
  app.get('/healthz', (c) => c.json({ status: 'ok' }, 200, { ...EVERY_ANSWER, 'Cache-Control': 'no-store' }));

  const allowed = {
    [ownRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [userRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [QUERY_PATH]: ['QUERY'],
    [batchRoute.getRoutingPath()]: ['POST'],
    '/openapi.json': ['GET', 'HEAD'],
    '/healthz': ['GET', 'HEAD'],
  };
  // Asked only when no route took the request: a handler for all methods of a path would stand in the way of those that are allowed.
  const otherMethods = new Hono();
  for (const [path, methods] of Object.entries(allowed)) {
    otherMethods.all(path, (c) => {
      const message = `expected ${methods.join(' or ')}, got ${c.req.method}`;
      return respondWithProblem(new EarshotError('method_not_allowed', 'edge', message), { Allow: methods.join(', ') });
    });
  }
  otherMethods.notFound((c) =>
    respondWithProblem(new EarshotError('not_found', 'edge', `there is nothing at ${c.req.path.slice(0, 200)}`)),
  );
  app.notFound((c) => otherMethods.fetch(c.req.raw));
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'edge');
    const traceId = traceIdOf(readTraceparent(c.req.header('traceparent')));
    logFailure(log, 'request_failed', error, { path: c.req.path, traceId });
    const trails = error instanceof ReadError ? error.trails : [];
    const status = trails.length === 0 ? {} : { 'Cache-Status': serializeCacheStatus(trails, clock.now(), false) };
    return respondWithProblem(error, status);
  });
  // Counted here and not by a middleware, which every request would wait for.
  const { fetch } = app;
  app.fetch = (request, ...rest) => {
    counters.add('edge_requests_total');
    return fetch(request, ...rest);
  };
  return app;
}
