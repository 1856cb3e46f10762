// `POST /internal/v1/edge-report`: the counts of an isolate of the worker.
import type { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { EDGE_REPORT_PATH, edgeReportSchema } from '../../shared/wire/edge-report.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { AddEdgeReport } from '../metrics/edge-totals.ts';

/** All counters have less than 8 kB. */
const MAX_BODY_BYTES = 32 * 1024;

export function addEdgeReportRoute(app: Hono, addEdgeReport: AddEdgeReport): void {
  const onError = (): never => {
    throw new EarshotError('payload_too_large', 'origin', `expected at most ${MAX_BODY_BYTES} bytes`);
  };
  app.post(EDGE_REPORT_PATH, bodyLimit({ maxSize: MAX_BODY_BYTES, onError }), async (c) => {
    const parsed = edgeReportSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) throw new EarshotError('invalid_request', 'origin', 'expected a report of counters as JSON');
    addEdgeReport(parsed.data);
    return c.body(null, 204);
  });
}
