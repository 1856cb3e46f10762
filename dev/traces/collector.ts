// A collector of spans for the local cloud: OTLP over HTTP (JSON), in memory. It shows the latest traces as text, one
// line a span.
import { Hono } from 'hono';
import { z } from 'zod';
import { type Attributes, type CollectedSpan, describeTrace } from './describe-trace.ts';

/** Further traces replace the oldest. */
const MAX_TRACES = 1_000;
/** Further spans of a trace are dropped. */
const MAX_SPANS = 1_000;

const attributeSchema = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });

const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes: z.array(attributeSchema).default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
});

const requestSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attributeSchema).default([]) }).optional(),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

export function createCollector(): Hono {
  const traces = new Map<string, CollectedSpan[]>();
  const app = new Hono();
  app.post('/v1/traces', async (c) => {
    const parsed = requestSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ message: 'expected an export of traces as JSON (OTLP)' }, 400);
    for (const span of toSpans(parsed.data)) keep(traces, span);
    return c.json({});
  });
  app.get('/traces', (c) => c.json([...traces.values()]));
  app.get('/traces/:id', (c) => {
    const spans = traces.get(c.req.param('id'));
    return spans === undefined ? c.text('no such trace\n', 404) : c.text(describeTrace(spans));
  });
  app.get('/', (c) => c.text([...traces.values()].reverse().slice(0, 20).map(describeTrace).join('\n')));
  return app;
}

function keep(traces: Map<string, CollectedSpan[]>, span: CollectedSpan): void {
  const spans = traces.get(span.traceId) ?? [];
  traces.set(span.traceId, spans);
  if (spans.length < MAX_SPANS) spans.push(span);
  const [oldest] = traces.keys();
  if (traces.size > MAX_TRACES && oldest !== undefined) traces.delete(oldest);
}

const toSpans = ({ resourceSpans }: z.infer<typeof requestSchema>): CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(toAttributes(resource?.attributes ?? [])['service.name'] ?? '');
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ traceId, spanId, parentSpanId, name, startTimeUnixNano, endTimeUnixNano, attributes, links }) => ({
        ...{ service, traceId, spanId, name, attributes: toAttributes(attributes) },
        parentSpanId: parentSpanId === '' ? undefined : parentSpanId,
        startMs: Number(startTimeUnixNano / 1000n) / 1000,
        endMs: Number(endTimeUnixNano / 1000n) / 1000,
        links: links.map((link) => link.spanId),
      })),
    );
  });

const toAttributes = (attributes: z.infer<typeof attributeSchema>[]): Attributes =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
