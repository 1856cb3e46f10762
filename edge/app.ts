// The worker's HTTP surface: routes, and how errors leave. Everything that takes a decision about a list is behind `deps`.
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { STATUS_PATH } from '../shared/wire/edge-status.ts';
import { toEarshotError } from '../shared/wire/errors.ts';
import type { EdgeDeps } from './deps.ts';
import { openCall, withCaller } from './identity/caller.ts';
import { logFailure } from './log.ts';
import { ReadError } from './reads/serve-reads.ts';
import { readTraceparent, traceIdOf } from './request/call.ts';
import { serializeCacheStatus } from './respond/cache-status.ts';
import { DEBUG_HEADER } from './respond/debug.ts';
import { EVERY_ANSWER } from './respond/every-answer.ts';
import { respondWithProblem } from './respond/problem.ts';
import { BATCH_TYPE } from './routes/batch/body.ts';
import { answerBatch } from './routes/batch/handler.ts';
import { batchRoute, QUERY_PATH } from './routes/batch/route.ts';
import { allowOrigins } from './routes/cors.ts';
import { ownRoute, serveOpenApi, userRoute } from './routes/openapi.ts';
import { createOtherMethods } from './routes/other-methods.ts';
import { answerRead } from './routes/read.ts';
import { answerStatus } from './routes/status.ts';
import { createRequestReader } from './routes/validation.ts';

export function createApp(deps: EdgeDeps): OpenAPIHono {
  const { config, clock, counters, log } = deps;
  const app = new OpenAPIHono();
  if (config.corsOrigins.length > 0) app.use('*', allowOrigins(config.corsOrigins));
  for (const route of [ownRoute, userRoute, batchRoute]) app.openAPIRegistry.registerPath(route);

  const readOwn = createRequestReader(ownRoute.request);
  app.get(ownRoute.getRoutingPath(), (c) =>
    withCaller(deps, c, (caller) => {
      const { query, params, headers } = readOwn(c.req);
      const debug = headers[DEBUG_HEADER] !== undefined;
      return answerRead(deps, c, caller, caller.identity.user, params.surface, { ...query, debug });
    }),
  );
  const readUser = createRequestReader(userRoute.request);
  app.get(userRoute.getRoutingPath(), (c) =>
    withCaller(deps, c, (caller) => {
      const { query, params, headers } = readUser(c.req);
      const debug = headers[DEBUG_HEADER] !== undefined;
      return answerRead(deps, c, caller, params.user, params.surface, { ...query, debug });
    }),
  );

  app.use(QUERY_PATH, async (c, next) => {
    await next();
    c.res.headers.set('Accept-Query', BATCH_TYPE);
  });
  const batch = (c: Context): Promise<Response> | Response =>
    withCaller(deps, c, (caller) => answerBatch(deps, c.req.raw, caller.identity, openCall(deps, c, caller)));
  app.on('QUERY', QUERY_PATH, batch);
  app.post(batchRoute.getRoutingPath(), batch);

  app.get(STATUS_PATH, (c) => withCaller(deps, c, ({ identity }) => answerStatus(deps, c.req.raw, identity)));
  app.get('/openapi.json', serveOpenApi(app));
  app.get('/healthz', (c) => c.json({ status: 'ok' }, 200, { ...EVERY_ANSWER, 'Cache-Control': 'no-store' }));

  const otherMethods = createOtherMethods({
    [ownRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [userRoute.getRoutingPath()]: ['GET', 'HEAD'],
    [QUERY_PATH]: ['QUERY'],
    [batchRoute.getRoutingPath()]: ['POST'],
    [STATUS_PATH]: ['GET', 'HEAD'],
    '/openapi.json': ['GET', 'HEAD'],
    '/healthz': ['GET', 'HEAD'],
  });
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
