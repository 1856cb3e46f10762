// HTTP control API of the region proxies: their faults.
import { Hono } from 'hono';
import { regionFaultSchema } from '../../ops/fault/region-fault.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import type { RegionProxy } from './proxy.ts';

/**
 * `GET /regions`; `PUT /regions/{name}/fault` with a fault (`{}` heals). Responds with 400 to a malformed body, with
 * 404 to an unknown region, and with 500 if a region cannot be healed, each with `{"error"}`.
 */
export function createRegionControl(proxies: readonly RegionProxy[]): Hono {
  const state = () => ({ regions: proxies.map(({ name, fault }) => ({ name, fault: fault() })) });
  const app = new Hono();
  app.get('/regions', (c) => c.json(state()));
  app.put('/regions/:name/fault', async (c) => {
    const name = c.req.param('name');
    const proxy = proxies.find((each) => each.name === name);
    if (proxy === undefined) {
      const known = proxies.map((each) => each.name).join(', ');
      return c.json({ error: `expected one of ${known}, got ${JSON.stringify(name)}` }, 404);
    }
    const fault = regionFaultSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!fault.success) return c.json({ error: describeIssues(fault.error) }, 400);
    await proxy.setFault(fault.data);
    return c.json(state());
  });
  app.onError((error, c) => c.json({ error: error.message }, 500));
  return app;
}
