// HTTP control port on 127.0.0.1: state, counters, faults and replication of the embedded Bigtable.
import { Hono } from 'hono';
import { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { CONTROL_HOST, type ControlListener, startControlListener } from '../control-listener.ts';
import type { EmbeddedBigtable } from './embedded-bigtable.ts';
import { faultSchema } from './faults.ts';
import { checkPortIsFree } from './ports.ts';

const replicationSchema = z.strictObject({
  /** Time from a commit until the other clusters apply it, in milliseconds. */
  lagMs: z.number().min(0).optional(),
  /** Clusters to cut off. Replication resumes for all others. */
  stopped: z.array(z.string()).optional(),
});

/**
 * `GET /clusters`; `PUT /clusters/{name}/fault` with a fault (`{}` heals); `PUT /replication` with `{lagMs?,
 * stopped?}`. Responds with 400 to a malformed body and with 404 to an unknown cluster, each with `{"error"}`.
 */
export function createControl(bigtable: EmbeddedBigtable): Hono {
  const initialReplicationLagMs = bigtable.replicationLagMs();
  const state = () => ({
    replicationLagMs: bigtable.replicationLagMs(),
    // The lag that heals replication.
    initialReplicationLagMs,
    clusters: bigtable.clusters(),
  });
  const unknown = (names: readonly string[]) =>
    names.find((name) => !bigtable.clusters().some((cluster) => cluster.name === name));
  const describeUnknown = (name: string) =>
    `expected the cluster to be one of ${bigtable
      .clusters()
      .map((cluster) => cluster.name)
      .join(', ')}, got '${name}'`;
  const app = new Hono();

  app.get('/clusters', (c) => c.json(state()));

  app.put('/clusters/:name/fault', async (c) => {
    const name = c.req.param('name');
    if (unknown([name]) !== undefined) return c.json({ error: describeUnknown(name) }, 404);
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
    if (missing !== undefined) return c.json({ error: describeUnknown(missing) }, 404);
    if (lagMs !== undefined) bigtable.setReplicationLag(lagMs);
    for (const { name } of stopped === undefined ? [] : bigtable.clusters()) {
      if (stopped?.includes(name)) bigtable.stopReplication(name);
      else bigtable.resumeReplication(name);
    }
    return c.json(state());
  });

  return app;
}

/** Rejects with a one-line error if the port is in use. */
export async function startControl(bigtable: EmbeddedBigtable, port: number): Promise<ControlListener> {
  await checkPortIsFree(CONTROL_HOST, port);
  return startControlListener(createControl(bigtable), port);
}
