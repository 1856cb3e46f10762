// `POST /internal/v1/edge-report`: the counts of an isolate of the worker.
import type { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import {
  ANSWER_BOUNDS,
  ANSWER_OUTCOMES,
  EDGE_REPORT_PATH,
  type EdgeReport,
} from '../../shared/wire/edge/edge-report.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { AddEdgeReport } from '../metrics/edge-totals.ts';

/** All counters have less than 8 kB. */
const MAX_BODY_BYTES = 32 * 1024;

/** More than an isolate counts in a day. */
const count = z.number().min(0).max(1e12);

export const edgeReportSchema: z.ZodType<EdgeReport> = z.object({
  counters: z.record(z.string(), count),
  answers: z.partialRecord(
    z.enum(ANSWER_OUTCOMES),
    z.object({ counts: z.array(count).length(ANSWER_BOUNDS.length + 1), seconds: count }),
  ),
});

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
