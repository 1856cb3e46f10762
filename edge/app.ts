// The worker's HTTP surface: routes, who may use them, and how errors leave. Everything that takes a decision about a list is behind `deps`.
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { EarshotError, problemOf, toEarshotError } from '../shared/errors.ts';
import { DEFAULT_LIMIT } from '../shared/list.ts';
import { DEV_LOCATION_HEADER } from '../shared/regions.ts';
import { missingScope } from './access-error.ts';
import { type Call, readTraceparent, traceIdOf } from './call.ts';
import { allowOrigins } from './cors.ts';
import { DEBUG_HEADER } from './debug.ts';
import type { EdgeDeps } from './deps.ts';
import type { Identity } from './identity.ts';
import { describeError, stackOf } from './log.ts';
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
    const { user: self, scopes } = c.get('identity');
    if (user !== self && !scopes.has('recs:read:any')) throw missingScope('recs:read:any');
    if (variant !== undefined && !scopes.has('recs:preview')) throw missingScope('recs:preview');
    if (debug && !scopes.has('recs:debug')) throw missingScope('recs:debug');
    const call = openCall(c);
    const read = { user, surface, fallback, variant };
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
  app.get('/openapi.json', serveOpenApi(app));
  app.get('/healthz', (c) => c.json({ status: 'ok' }, 200, { 'Cache-Control': 'no-store' }));

  for (const path of [ownRoute.getRoutingPath(), userRoute.getRoutingPath(), '/openapi.json', '/healthz']) {
    app.all(path, (c) => {
      const error = new EarshotError('method_not_allowed', 'edge', `expected GET or HEAD, got ${c.req.method}`);
      return respondWithProblem(error, { Allow: 'GET, HEAD' });
    });
  }
  app.notFound((c) =>
    respondWithProblem(new EarshotError('not_found', 'edge', `there is nothing at ${c.req.path.slice(0, 200)}`)),
  );
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'edge');
    const { status } = problemOf(error.code);
    if (status >= 500) {
      log.error('request_failed', {
        status,
        code: error.code,
        source: error.source,
        path: c.req.path,
        traceId: traceIdOf(readTraceparent(c.req.header('traceparent'))),
        ...describeError(error),
        stack: stackOf(error),
      });
    }
    return respondWithProblem(error);
  });
  return app;
}
