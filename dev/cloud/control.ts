// HTTP control API of the launcher: the faults of the region proxies, and the parts.
import { Hono } from 'hono';
import { z } from 'zod';
import { regionFaultSchema } from '../../ops/fault/region-fault.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { RegionProxy } from '../region-proxy/proxy.ts';

const killSchema = z.strictObject({ part: z.string() });

/**
 * `GET /regions`; `PUT /regions/{name}/fault` with a fault (`{}` heals); `GET /parts`; `PUT /parts/kill` with `{part}`.
 * Responds with 400 to a malformed body, with 404 to an unknown region or part, and with 500 if a region cannot be
 * healed, each with `{"error"}`.
 */
export function createCloudControl(
  proxies: readonly RegionProxy[],
  supervisor: Pick<Supervisor, 'status' | 'kill'>,
): Hono {
  const regions = () => ({ regions: proxies.map(({ name, fault }) => ({ name, fault: fault() })) });
  const parts = () => ({ parts: supervisor.status() });
  const unknown = (known: readonly string[], name: string) => ({
    error: `expected one of ${known.join(', ')}, got ${JSON.stringify(name)}`,
  });
  const app = new Hono();

  app.get('/regions', (c) => c.json(regions()));
  app.put('/regions/:name/fault', async (c) => {
    const name = c.req.param('name');
    const proxy = proxies.find((each) => each.name === name);
    if (proxy === undefined) {
      const known = proxies.map((each) => each.name);
      return c.json(unknown(known, name), 404);
    }
    const fault = regionFaultSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!fault.success) return c.json({ error: describeIssues(fault.error) }, 400);
    await proxy.setFault(fault.data);
    return c.json(regions());
  });

  app.get('/parts', (c) => c.json(parts()));
  app.put('/parts/kill', async (c) => {
    const body = killSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: describeIssues(body.error) }, 400);
    const { part } = body.data;
    if (supervisor.kill(part)) return c.json(parts());
    return c.json(
      unknown(
        parts().parts.map(({ name }) => name),
        part,
      ),
      404,
    );
  });

  app.onError((error, c) => c.json({ error: error.message }, 500));
  return app;
}
