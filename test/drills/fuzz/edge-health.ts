// The worker's own view of its regions, as `earshot status` reads it.
import { edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';
import type { Part } from './deployment.ts';
import { mint } from './healthy-listeners.ts';

export interface EdgeHealth {
  /** Requests since the start of the isolate: a replaced isolate starts again. */
  readonly requests: number;
  /** Calls to origins that failed or were refused. */
  readonly failures: number;
  readonly ejections: number;
  /** Regions that are ejected, probed or refusing, with their state. */
  readonly unhealthy: readonly string[];
}

export async function readHealth({ port }: Part): Promise<EdgeHealth> {
  const headers = { authorization: `Bearer ${await mint('operator', ['recs:status'])}` };
  const response = await fetch(`http://127.0.0.1:${port}${STATUS_PATH}`, { headers });
  const { regions, counters } = edgeStatusSchema.parse(await response.json());
  return {
    requests: counters.edge_requests_total,
    failures: counters.edge_origin_failures_total + counters.region_origin_failures_total,
    ejections: counters.edge_ejections_total,
    unhealthy: regions.filter(({ state }) => state !== 'healthy').map(({ name, state }) => `${name} ${state}`),
  };
}
