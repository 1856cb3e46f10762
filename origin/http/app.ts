// The routes of an origin besides `lists:read` (lists-read.ts): the manifest and health. metrics-app.ts has the routes
// of the metrics' port. app-listener.ts sets the headers of every answer.
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import { isDocumentKind } from '../../shared/domain/effects/documents.ts';
import { EDGE_REPORT_PATH } from '../../shared/wire/edge/edge-report.ts';
import { EarshotError, problemOf, toEarshotError } from '../../shared/wire/errors.ts';
import { isNotModified } from '../../shared/wire/if-none-match.ts';
import { DOCUMENTS_PATH, LISTS_READ_PATH, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import type { Documents } from '../manifest/documents.ts';
import type { AddEdgeReport } from '../metrics/edge-totals.ts';
import { addEdgeReportRoute } from './edge-report.ts';
import { addHealth, type HealthDeps } from './health.ts';
import { makeProblemAnswer, type ProblemAnswer, problemOfError } from './problem.ts';
import { describeRequest } from './request-id.ts';
import type { VerifyCaller } from './verify-caller.ts';

export interface AppDeps extends HealthDeps {
  readonly verifyCaller: VerifyCaller;
  readonly documents: Pick<Documents, 'find'>;
  readonly addEdgeReport: AddEdgeReport;
  /** Called for each failed request, and for each caller without a valid token. */
  readonly onError: (thrown: unknown, error: EarshotError, about: object) => void;
}

const READ_METHODS = ['GET', 'HEAD'];

export function createApp(deps: AppDeps): Hono {
  const { manifests, documents, verifyCaller, isDraining } = deps;
  const app = new Hono();
  addHealth(app, deps, { withReason: false });
  for (const path of ['/livez', '/readyz']) allowOnly(app, path, READ_METHODS);

  app.use('/internal/*', async (c, next) => {
    await verifyCaller(c.req.header('authorization'));
    // app-listener.ts closes the connections of all others.
    if (!isDraining()) (c.env as HttpBindings).outgoing.removeHeader('Connection');
    await next();
  });

  app.get(MANIFEST_PATH, (c) => {
    const manifest = manifests.latest();
    if (manifest === undefined) throw new EarshotError('unavailable', 'origin', 'no manifest has been read yet');
    const { json, etag } = manifest;
    c.header('ETag', etag);
    return isNotModified(c.req.header('if-none-match'), etag)
      ? c.body(null, 304)
      : c.body(json, 200, { 'Content-Type': 'application/json' });
  });
  allowOnly(app, MANIFEST_PATH, READ_METHODS);
  const documentPath = `${DOCUMENTS_PATH}/:kind/:version`;
  app.get(documentPath, (c) => {
    const { kind, version } = c.req.param();
    const json = isDocumentKind(kind) ? documents.find({ kind, version }) : undefined;
    if (json === undefined) throw new EarshotError('not_found', 'origin', 'the live manifest has no such document');
    return c.body(json, 200, { 'Content-Type': 'application/json' });
  });
  allowOnly(app, documentPath, READ_METHODS);
  addEdgeReportRoute(app, deps.addEdgeReport);
  allowOnly(app, EDGE_REPORT_PATH, ['POST']);
  allowOnly(app, LISTS_READ_PATH, ['POST']);
  return withProblems(app, deps);
}

/** Other methods at `path` are 405 (RFC 9110, section 15.5.6). Register it after the path's own routes. */
function allowOnly(app: Hono, path: string, methods: readonly string[]): void {
  const allowed = methods.join(', ');
  app.all(path, (c) => {
    // A target with a query is no `lists:read`, and is not found.
    if (methods.includes(c.req.method)) return c.notFound();
    return toResponse(makeProblemAnswer('method_not_allowed', `expected ${allowed}`, { Allow: allowed }));
  });
}

/** Every failure and every unknown path is a problem. */
export function withProblems(app: Hono, { onError }: Pick<AppDeps, 'onError'>): Hono {
  app.notFound(() => toResponse(makeProblemAnswer('not_found')));
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'origin');
    onError(thrown, error, describeRequest(c.req.header()));
    return toResponse(problemOfError(error));
  });
  return app;
}

/** For `onError`: a 4xx is the caller's mistake, and its message can quote what the caller sent. */
export const logFailure =
  (logger: Pick<Logger, 'error'>) =>
  (thrown: unknown, { code }: EarshotError, about: object): void => {
    if (problemOf(code).status >= 500) logger.error({ err: thrown, code, ...about }, 'request failed');
  };

export function toResponse({ status, headers, body }: ProblemAnswer): Response {
  return new Response(body, { status, headers });
}
