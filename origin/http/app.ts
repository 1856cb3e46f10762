// The origin's HTTP interface without `lists:read` (lists-read.ts): the manifest, health and metrics. app-listener.ts
// sets the headers of every answer.
import { Hono } from 'hono';
import type { Logger } from 'pino';
import { EarshotError, problemOf, toEarshotError } from '../../shared/wire/errors.ts';
import { isNotModified } from '../../shared/wire/if-none-match.ts';
import { MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import type { ManifestPoller } from '../manifest/poller.ts';
import { makeProblemAnswer, type ProblemAnswer } from './problem.ts';
import { describeRequest } from './request-id.ts';
import type { VerifyCaller } from './verify-caller.ts';

export interface OriginDeps {
  readonly manifests: Pick<ManifestPoller, 'latest'>;
  readonly verifyCaller: VerifyCaller;
  /** Whether the connections to Bigtable have been primed. */
  readonly isWarm: () => boolean;
  readonly isDraining: () => boolean;
  readonly exposeMetrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly logger: Logger;
}

export function createApp(deps: OriginDeps): Hono {
  const { manifests, verifyCaller, isWarm, isDraining, exposeMetrics, logger } = deps;
  const app = new Hono();

  app.get('/livez', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    if (isDraining()) return c.json({ status: 'draining' }, 503);
    if (!isWarm()) return c.json({ status: 'connecting to Bigtable' }, 503);
    return manifests.latest() === undefined
      ? c.json({ status: 'waiting for the manifest' }, 503)
      : c.json({ status: 'ok' });
  });

  app.get('/metrics', async (c) => {
    const { contentType, body } = await exposeMetrics();
    return c.body(body, 200, { 'Content-Type': contentType });
  });

  app.use('/internal/*', async (c, next) => {
    await verifyCaller(c.req.header('authorization'));
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

  app.notFound(() => toResponse(makeProblemAnswer('not_found')));
  app.onError((thrown, c) => {
    const error = toEarshotError(thrown, 'origin');
    const { status } = problemOf(error.code);
    if (status >= 500)
      logger.error(
        { err: thrown, path: c.req.path, code: error.code, ...describeRequest(c.req.header()) },
        'request failed',
      );
    return toResponse(makeProblemAnswer(error.code, status < 500 ? error.message : undefined));
  });
  return app;
}

export function toResponse({ status, headers, body }: ProblemAnswer): Response {
  return new Response(body, { status, headers });
}
