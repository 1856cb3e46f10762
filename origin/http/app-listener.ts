// The app on Node's own request and response. It sets the headers of every answer, because the adapter answers a target
// that is no path before the app sees it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';
import { createApp, type OriginDeps, toResponse } from './app.ts';
import { makeProblemAnswer } from './problem.ts';
import { requestIdOf } from './request-id.ts';

export function createAppListener(deps: OriginDeps): (request: IncomingMessage, response: ServerResponse) => void {
  const { isDraining, logger } = deps;
  const serve = getRequestListener(createApp(deps).fetch, {
    errorHandler: (thrown) => {
      if (thrown instanceof RequestError)
        return toResponse(makeProblemAnswer('invalid_request', 'expected the target of the request to be a path'));
      logger.error({ err: thrown }, 'request failed');
      return toResponse(makeProblemAnswer('internal'));
    },
  });
  return (request, response) => {
    const requestId = requestIdOf(request.headers);
    if (requestId !== undefined) response.setHeader(REQUEST_ID_HEADER, requestId);
    // A kept-alive connection would bring requests until the end of the drain.
    if (isDraining()) response.setHeader('Connection', 'close');
    // The routes do not use it, and health checks send none (HTTP/1.0), or an address in any of its spellings.
    request.headers.host = 'origin';
    void serve(request, response);
  };
}
