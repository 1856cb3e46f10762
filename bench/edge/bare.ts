// Baseline worker: a Hono route that answers from a map. It returns the same bytes as the real worker, without checks,
// cache reads or counters.
import { Hono } from 'hono';

const app = new Hono<{ Bindings: { BODIES: string } }>();
let bodies: Readonly<Record<string, string>> | undefined;

app.get('/v1/users/:user/recommendations/:surface', (c) => {
  bodies ??= JSON.parse(c.env.BODIES) as Record<string, string>;
  return c.body(bodies[c.req.param('user')] ?? '', 200, { 'Content-Type': 'application/json' });
});

export default app;
