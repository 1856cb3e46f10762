// An app on Node's own request and response. It sets the headers of every answer, because the adapter answers a target
// that is no path before the app sees it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Hono } from 'hono';
import { toEarshotError } from '../../shared/wire/errors.ts';
import { type AppDeps, toResponse } from './app.ts';
import type { OwnHeaders } from './own-headers.ts';
import { makeProblemAnswer } from './problem.ts';

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

interface AppListenerDeps extends Pick<AppDeps, 'onError'> {
  readonly ownHeaders: OwnHeaders;
}

export function createAppListener(app: Hono, { onError, ownHeaders }: AppListenerDeps): Listener {
  const serve = getRequestListener(app.fetch, {
    errorHandler: (thrown) => {
      if (thrown instanceof RequestError)
        return toResponse(makeProblemAnswer('invalid_request', 'expected the target of the request to be a path'));
      onError(thrown, toEarshotError(thrown, 'origin'), {});
      return toResponse(makeProblemAnswer('internal'));
    },
  });
  return (request, response) => {
    for (const [name, value] of Object.entries(ownHeaders(request.headers))) response.setHeader(name, value);
    // The app keeps the connection of the edge. No other caller holds one while it sends nothing.
    response.setHeader('Connection', 'close');
    // The routes do not use it, and health checks send none (HTTP/1.0), or an address in any of its spellings.
    request.headers.host = 'origin';
    void serve(request, response);
  };
}
