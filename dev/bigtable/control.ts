// The control listener: state, counters, faults and replication over HTTP, for commands in another process. 127.0.0.1
// only.
import { Hono } from 'hono';
import { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { CONTROL_HOST, type ControlListener, startControlListener } from '../control-listener.ts';
import type { EmbeddedBigtable } from './embedded-bigtable.ts';
import { faultSchema } from './faults.ts';
import { checkPortIsFree } from './ports.ts';

const replicationSchema = z.strictObject({
  /** From a commit until it is applied in the other clusters, in milliseconds. */
  lagMs: z.number().min(0).optional(),
  /** The clusters to be cut off; those not named are resumed. */
  stopped: z.array(z.string()).optional(),
});

/**
 * `GET /clusters`; `PUT /clusters/{name}/fault` with a fault (`{}` heals); `PUT /replication` with `{lagMs?,
 * stopped?}`. 400 for a malformed body, 404 for an unknown cluster, each with `{"error"}`.
 */
export function createControl(bigtable: EmbeddedBigtable): Hono {
  const initialReplicationLagMs = bigtable.replicationLagMs();
  const state = () => ({
    replicationLagMs: bigtable.replicationLagMs(),
    // What heals it.
    initialReplicationLagMs,
    clusters: bigtable.clusters(),
  });
  const unknown = (names: readonly string[]) =>
    names.find((name) => !bigtable.clusters().some((cluster) => cluster.name === name));
  const app = new Hono();

  app.get('/clusters', (c) => c.json(state()));

  app.put('/clusters/:name/fault', async (c) => {
    const name = c.req.param('name');
    if (unknown([name]) !== undefined) return c.json({ error: `no such cluster: '${name}'` }, 404);
    const fault = faultSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!fault.success) return c.json({ error: describeIssues(fault.error) }, 400);
    bigtable.setFault(name, fault.data);
    return c.json(state());
  });

  app.put('/replication', async (c) => {
    const body = replicationSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: describeIssues(body.error) }, 400);
    const { lagMs, stopped } = body.data;
    const missing = unknown(stopped ?? []);
    if (missing !== undefined) return c.json({ error: `no such cluster: '${missing}'` }, 404);
    if (lagMs !== undefined) bigtable.setReplicationLag(lagMs);
    for (const { name } of stopped === undefined ? [] : bigtable.clusters()) {
      if (stopped?.includes(name)) bigtable.stopReplication(name);
      else bigtable.resumeReplication(name);
    }
    return c.json(state());
  });

  return app;
}

/** Rejects with one clear error when the port is taken. */
export async function startControl(bigtable: EmbeddedBigtable, port: number): Promise<ControlListener> {
  await checkPortIsFree(CONTROL_HOST, port);
  return startControlListener(createControl(bigtable), port);
}
