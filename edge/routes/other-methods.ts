// Requests that no route took: 405 where another method would have done, else 404. Apart from the routes, because a handler for all methods of
// a path would stand in the way of those that it has.
import { Hono } from 'hono';
import { EarshotError } from '../../shared/wire/errors.ts';
import { respondWithProblem } from '../respond/problem.ts';

/** `allowed`: the methods of each path, in Hono's notation. */
export function createOtherMethods(allowed: Readonly<Record<string, readonly string[]>>): Hono {
  const app = new Hono();
  for (const [path, methods] of Object.entries(allowed)) {
    app.all(path, (c) => {
      const message = `expected ${methods.join(' or ')}, got ${c.req.method}`;
      return respondWithProblem(new EarshotError('method_not_allowed', 'edge', message), { Allow: methods.join(', ') });
    });
  }
  app.notFound((c) =>
    respondWithProblem(new EarshotError('not_found', 'edge', `there is nothing at ${c.req.path.slice(0, 200)}`)),
  );
  return app;
}
