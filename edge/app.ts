// The worker's HTTP interface: the route table, and the answer to errors. Routes decide nothing about lists; `deps`
// does.
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ARCHIVE_PATH } from '../shared/domain/experiments/archive.ts';
import { STATUS_PATH } from '../shared/wire/edge-status.ts';
import { JSON_TYPE } from '../shared/wire/json-body.ts';
import type { EdgeDeps } from './deps.ts';
import { createHostCheck } from './public-hosts.ts';
import { openCall } from './request/open-call.ts';
import { chooseRequestId } from './request/request-id.ts';
import { answerError } from './respond/answer-error.ts';
import { requireHttps } from './respond/every-answer.ts';
import { respondWithProblem } from './respond/problem.ts';
import { answerBatch } from './routes/batch/handler.ts';
import { batchRoute, QUERY_PATH, queryRoute } from './routes/batch/route.ts';
import { withCaller } from './routes/caller.ts';
import { allowOrigins } from './routes/cors.ts';
import { documentRoute, healthRoute, serveDocument } from './routes/document.ts';
import { listArchive, sendArchived } from './routes/exposures/archive.ts';
import { answerExposures } from './routes/exposures/handler.ts';
import { exposuresRoute } from './routes/exposures/route.ts';
import { answerHealth } from './routes/health.ts';
import { answerFlag, answerFlags } from './routes/ofrep/handler.ts';
import { ownRoute, userRoute } from './routes/openapi.ts';
import { createOwnReadHandler, createUserReadHandler } from './routes/read.ts';
import { answerStatus } from './routes/status.ts';
import { type Route, registerRoutes } from './routes/table.ts';
import { readCallerHeaders } from './routes/validation.ts';

/** OpenFeature Remote Evaluation Protocol. */
const OFREP_PATH = '/ofrep/v1/evaluate/flags';

export function createApp(deps: EdgeDeps): OpenAPIHono {
  const { config } = deps;
  const app = new OpenAPIHono();
  if (config.corsOrigins.length > 0) app.use('*', allowOrigins(config.corsOrigins));
  app.use(QUERY_PATH, async (c, next) => {
    await next();
    c.res.headers.set('Accept-Query', JSON_TYPE);
  });
  registerRoutes(app, makeRoutes(deps, app));
  app.onError((thrown, c) => answerError(deps, thrown, c));

  app.fetch = aroundFetch(deps, app.fetch);
  return app;
}

/** The work of every request. A middleware would be awaited by each. */
function aroundFetch(deps: EdgeDeps, fetch: OpenAPIHono['fetch']): OpenAPIHono['fetch'] {
  const { config, counters } = deps;
  const checkHost = createHostCheck(config.publicHosts);
  const answerOwn = reportAnswers(deps, fetch);
  const answer: OpenAPIHono['fetch'] = (request, ...rest) => {
    counters.add('edge_requests_total');
    const refusal = checkHost(request.url);
    if (refusal === undefined) return answerOwn(request, ...rest);
    return respondWithProblem(
      refusal,
      chooseRequestId((name) => request.headers.get(name)),
    );
  };
  if (config.isLocal) return answer;
  return (...of) => {
    const response = answer(...of);
    return response instanceof Promise ? response.then(requireHttps) : requireHttps(response);
  };
}

/** Records the answers of the API, and reports what is due. A probe of the health is no answer of the API. */
function reportAnswers({ clock, unreported, reporter }: EdgeDeps, fetch: OpenAPIHono['fetch']): OpenAPIHono['fetch'] {
  return (request, env, context) => {
    const startedAtMs = clock.now();
    const response = fetch(request, env, context);
    if (!isOfApi(request.url)) return response;
    const record = (answered: Response): Response => {
      unreported.addAnswer(answered.status, clock.now() - startedAtMs);
      if (context !== undefined) reporter.reportIfDue((work) => context.waitUntil(work));
      return answered;
    };
    return response instanceof Promise ? response.then(record) : record(response);
  };
}

const isOfApi = (url: string): boolean => /^https?:\/\/[^/]+\/(v1|ofrep)\//.test(url);

function makeRoutes(deps: EdgeDeps, app: OpenAPIHono): readonly Route[] {
  const batch = (c: Context): Promise<Response> | Response =>
    withCaller(deps, c, (caller) => {
      // Before the call is opened, which reads the deadline as a number.
      readCallerHeaders(c.req);
      return answerBatch(deps, c, caller.identity, openCall(deps, c, caller));
    });
  const status = (c: Context): Promise<Response> | Response =>
    withCaller(deps, c, (caller) => answerStatus(deps, c, caller));
  const exposures = (c: Context): Promise<Response> | Response =>
    withCaller(deps, c, (caller) => answerExposures(deps, c, caller));
  const listing = (c: Context) => withCaller(deps, c, (caller) => listArchive(deps, c, caller));
  const archived = (c: Context) => withCaller(deps, c, (caller) => sendArchived(deps, c, caller));
  const flag = (c: Context) => withCaller(deps, c, (caller) => answerFlag(deps, c, caller));
  const flags = (c: Context) => withCaller(deps, c, (caller) => answerFlags(deps, c, caller));
  const get = ['GET', 'HEAD'];
  return [
    { path: ownRoute.getRoutingPath(), methods: get, handler: createOwnReadHandler(deps), contract: ownRoute },
    { path: userRoute.getRoutingPath(), methods: get, handler: createUserReadHandler(deps), contract: userRoute },
    { path: QUERY_PATH, methods: ['QUERY'], handler: batch, contract: queryRoute },
    { path: batchRoute.getRoutingPath(), methods: ['POST'], handler: batch, contract: batchRoute },
    { path: exposuresRoute.getRoutingPath(), methods: ['POST'], handler: exposures, contract: exposuresRoute },
    { path: ARCHIVE_PATH, methods: get, handler: listing },
    { path: `${ARCHIVE_PATH}/:hour/:name`, methods: get, handler: archived },
    { path: `${OFREP_PATH}/:key`, methods: ['POST'], handler: flag },
    { path: OFREP_PATH, methods: ['POST'], handler: flags },
    { path: STATUS_PATH, methods: get, handler: status },
    { path: documentRoute.path, methods: get, handler: serveDocument(app), contract: documentRoute },
    { path: healthRoute.path, methods: get, handler: (c) => answerHealth(deps, c), contract: healthRoute },
  ];
}
