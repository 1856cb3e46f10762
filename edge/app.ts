// The worker's HTTP surface: routes, who may use them, and how errors leave. Everything that takes a decision about a list is behind `deps`.
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { EarshotError, toEarshotError } from '../shared/errors.ts';
import { DEFAULT_LIMIT } from '../shared/list.ts';
import { DEV_LOCATION_HEADER } from '../shared/regions.ts';
import { checkAccess } from './access.ts';
import { answerBatch } from './batch.ts';
import { BATCH_TYPE } from './batch-body.ts';
import { batchRoute, QUERY_PATH } from './batch-route.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { type Call, readTraceparent, traceIdOf } from './call.ts';
import { allowOrigins } from './cors.ts';
import { DEBUG_HEADER } from './debug.ts';
import type { EdgeDeps } from './deps.ts';
import type { Identity } from './identity.ts';
import { ReadError } from './ladder.ts';
import { logFailure } from './log.ts';
import { ownRoute, serveOpenApi, userRoute } from './openapi.ts';
import { placeOf } from './place.ts';
import { respondWithProblem } from './problem.ts';
import { respondWithList } from './respond.ts';
import { createTimings, type Timings } from './server-timing.ts';
import { orderRegions } from './upstream/region-order.ts';
import { invalidRequest } from './validation.ts';

type AppEnv = { Variables: { receivedAtMs: number; timings: Timings; identity: Identity } };

interface ReadOptions {
  readonly debug: boolean;
  readonly limit?: number | undefined;
  readonly fallback?: 'popular' | 'none' | undefined;
  readonly variant?: string | undefined;
}

export function createApp(deps: EdgeDeps): OpenAPIHono<AppEnv> {
  const { config, clock, counters, log, identity, manifests, serveReads } = deps;
  const app = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error);
    },
  });

  const identify: MiddlewareHandler<AppEnv> = async (c, next) => {
    const timings = createTimings(clock);
    c.set('receivedAtMs', clock.now());
    c.set('timings', timings);
    const waitUntil = (work: Promise<unknown>): void => c.executionCtx.waitUntil(work);
    c.set('identity', await timings.time('token', () => identity.verify(c.req.header('authorization'), waitUntil)));
    await next();
  };

  const openCall = (c: Context<AppEnv>): Call => ({
    deadlineAtMs: c.get('receivedAtMs') + config.requestDeadlineMs,
    regions: orderRegions(config.regions, placeOf(c.req.raw, config.devLocations)),
    failedRegions: new Set(),
    traceparent: readTraceparent(c.req.header('traceparent')),
    devLocation: config.devLocations === undefined ? undefined : c.req.header(DEV_LOCATION_HEADER),
    timings: c.get('timings'),
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  });

  async function answerRead(
    c: Context<AppEnv>,
    user: string,
    surface: string,
    options: ReadOptions,
  ): Promise<Response> {
    const { limit = DEFAULT_LIMIT, fallback = 'popular', variant, debug } = options;
    const read = { user, surface, fallback, variant };
    checkAccess(c.get('identity'), [read], debug);
    const call = openCall(c);
    const live = await call.timings.time('manifest', () => manifests.get(call));
    const [served] = await serveReads([read], live.manifest, call);
    if (served === undefined) throw new Error('expected an outcome for every read; ladder.ts sees to it');
    if (served instanceof EarshotError) throw served;
    const ifNoneMatch = c.req.header('if-none-match');
    const nowMs = clock.now();
    const { deviceMaxAgeSeconds } = config;
    return respondWithList({ read, served, live, limit, ifNoneMatch, deviceMaxAgeSeconds, nowMs, debug, call });
  }

  app.use('*', async (c, next) => {
    counters.add('edge_requests_total');
    await next();
    c.res.headers.set('X-Content-Type-Options', 'nosniff');
  });
  if (config.corsOrigins.length > 0) app.use('*', allowOrigins(config.corsOrigins));
  app.openapi({ ...ownRoute, middleware: identify }, (c) => {
    const { surface } = c.req.valid('param');
    const debug = c.req.valid('header')[DEBUG_HEADER] !== undefined;
    return answerRead(c, c.get('identity').user, surface, { ...c.req.valid('query'), debug });
  });
  app.openapi({ ...userRoute, middleware: identify }, (c) => {
    const { user, surface } = c.req.valid('param');
    const debug = c.req.valid('header')[DEBUG_HEADER] !== undefined;
    return answerRead(c, user, surface, { ...c.req.valid('query'), debug });
  });
  app.openAPIRegistry.registerPath(batchRoute);
  app.use(QUERY_PATH, async (c, next) => {
    await next();
    c.res.headers.set('Accept-Query', BATCH_TYPE);
  });
  const batch = (c: Context<AppEnv>) => answerBatch(deps, c.req.raw, c.get('identity'), openCall(c));
  app.on('QUERY', QUERY_PATH, identify, batch);
  app.post(batchRoute.getRoutingPath(), identify, batch);
  app.get('/openapi.json', serveOpenApi(app));
  app.get('/healthz', (c) => c.json({ status: 'ok' }, 200, { 'Cache-Control': 'no-store' }));

  const allowed = {
    [ownRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [userRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [QUERY_PATH]: ['QUERY'],
    [batchRoute.getRoutingPath()]: ['POST'],
    '/openapi.json': ['GET', 'HEAD'],
    '/healthz': ['GET', 'HEAD'],
  };
  for (const [path, methods] of Object.entries(allowed)) {
    app.all(path, (c) => {
      const message = `expected ${methods.join(' or ')}, got ${c.req.method}`;
      return respondWithProblem(new EarshotError('method_not_allowed', 'edge', message), { Allow: methods.join(', ') });
    });
  }
  app.notFound((c) =>
    respondWithProblem(new EarshotError('not_found', 'edge', `there is nothing at ${c.req.path.slice(0, 200)}`)),
  );
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'edge');
    const traceId = traceIdOf(readTraceparent(c.req.header('traceparent')));
    logFailure(log, 'request_failed', error, { path: c.req.path, traceId });
    const trails = error instanceof ReadError ? error.trails : [];
    const status = trails.length === 0 ? {} : { 'Cache-Status': serializeCacheStatus(trails, clock.now(), false) };
    return respondWithProblem(error, status);
  });
  return app;
}
