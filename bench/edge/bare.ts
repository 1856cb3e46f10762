// The worker that one would write for answers that are known beforehand: a Hono route and a map. It answers the same
// bytes as the real one, and checks, reads and counts nothing.
import { Hono } from 'hono';

const app = new Hono<{ Bindings: { BODIES: string } }>();
let bodies: Readonly<Record<string, string>> | undefined;

app.get('/v1/users/:user/recommendations/:surface', (c) => {
  bodies ??= JSON.parse(c.env.BODIES) as Record<string, string>;
  return c.body(bodies[c.req.param('user')] ?? '', 200, { 'Content-Type': 'application/json' });
});

export default app;
