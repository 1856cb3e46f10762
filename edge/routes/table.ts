// The route table: each entry is registered, documented if it has a contract, and answered with 405 for any other
// method.
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import { type Context, Hono } from 'hono';
import { EarshotError } from '../../shared/wire/errors.ts';
import { requestIdOf } from '../request/request-id.ts';
import { respondWithProblem } from '../respond/problem.ts';
import { headOf } from './document.ts';

export interface Route {
  /** In Hono's notation. */
  readonly path: string;
  /** HEAD has to follow GET: Hono answers it with the handler of GET. */
  readonly methods: readonly string[];
  readonly handler: (c: Context) => Response | Promise<Response>;
  /** The route's part of the OpenAPI document. Default: the route is not documented. */
  readonly contract?: RouteConfig;
}

export function registerRoutes(app: OpenAPIHono, routes: readonly Route[]): void {
  for (const { path, methods, handler, contract } of routes) {
    if (contract !== undefined) app.openAPIRegistry.registerPath(contract);
    if (contract !== undefined && methods.includes('HEAD')) app.openAPIRegistry.registerPath(headOf(contract));
    app.on(
      methods.filter((method) => method !== 'HEAD'),
      path,
      handler,
    );
  }
  // A separate app: a handler for all methods of a path would shadow the routes above.
  const unmatched = createUnmatched(routes);
  app.notFound((c) => unmatched.fetch(c.req.raw, { requestId: requestIdOf(c) }));
}

interface Unmatched {
  readonly Bindings: { readonly requestId: string };
}

/** Answers requests that no route takes: 405 if the path has other methods, else 404. */
function createUnmatched(routes: readonly Route[]): Hono<Unmatched> {
  const app = new Hono<Unmatched>();
  for (const [path, all] of Map.groupBy(routes, (route) => route.path)) {
    const allowed = all.flatMap(({ methods }) => methods);
    app.all(path, (c) => {
      const message = `expected ${allowed.join(' or ')}, got ${c.req.method}`;
      const error = new EarshotError('method_not_allowed', 'edge', message, { headers: { Allow: allowed.join(', ') } });
      return respondWithProblem(error, c.env.requestId);
    });
  }
  app.notFound((c) =>
    respondWithProblem(
      new EarshotError('not_found', 'edge', `there is nothing at ${c.req.path.slice(0, 200)}`),
      c.env.requestId,
    ),
  );
  return app;
}
