// Sends the spans of recorded requests to a collector by OTLP over HTTP. The exporter reads its own variables
// (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT and so on, OpenTelemetry's specification). This module is loaded
// only where one of the endpoints is set.
//
// The spans are Earshot's own, and no instrumentation patches Node or gRPC (docs/decisions/0057).
import {
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { parseTraceparent, readTraceparent, TRACEPARENT_HEADER } from '../../shared/wire/traceparent.ts';
import { type RequestTrace, runInTrace, runPlainly, type Tracing } from './request-trace.ts';

interface OtlpTracingOptions {
  readonly region: string;
  /** Name of the build. */
  readonly build: string;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Spans that wait; further ones are dropped. A slow collector costs memory, and no read. */
const MAX_WAITING = 2_048;
/** Between two exports. */
const EXPORT_EVERY_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;

export function startOtlpTracing({ region, build, logger }: OtlpTracingOptions): Tracing {
  const warn = (message: string): void => logger.warn({ reason: message }, 'spans could not be exported');
  const silent = (): void => {};
  diag.setLogger({ error: warn, warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR);
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': 'earshot-origin', 'service.version': build, 'cloud.region': region }),
    ),
    // Only requests with a sampled parent get here.
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ timeoutMillis: EXPORT_TIMEOUT_MS }),
        maxQueueSize: MAX_WAITING,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('earshot-origin', build);

  const start = (name: string, kind: SpanKind, parent: Context, links: readonly Span[] = []): OtlpTrace => {
    const linked = links.map((span) => ({ context: span.spanContext() }));
    return makeTrace(tracer.startSpan(name, { kind, links: linked }, parent), start);
  };

  return {
    open: ({ headers }, response) => {
      const header = headers[TRACEPARENT_HEADER];
      const traceparent = readTraceparent(typeof header === 'string' ? header : undefined);
      if (traceparent === undefined) return runPlainly;
      const { traceId, spanId, isSampled } = parseTraceparent(traceparent);
      if (!isSampled) return runPlainly;
      const remote = { traceId, spanId, traceFlags: 1, isRemote: true };
      const request = start('lists:read', SpanKind.SERVER, trace.setSpanContext(ROOT_CONTEXT, remote));
      response.once('close', () => {
        request.describe({ 'http.response.status_code': response.statusCode });
        request.end(response.writableFinished ? undefined : new Error('the caller has gone'));
      });
      return (work) => runInTrace(request, work);
    },
    close: () => provider.shutdown().catch((error: Error) => warn(error.message)),
  };
}

interface OtlpTrace extends RequestTrace {
  readonly span: Span;
}

type StartSpan = (name: string, kind: SpanKind, parent: Context, links?: readonly Span[]) => OtlpTrace;

function makeTrace(span: Span, startSpan: StartSpan): OtlpTrace {
  const describe: RequestTrace['describe'] = (attributes) => {
    for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(name, value);
  };
  return {
    span,
    describe,
    start: (name, attributes, others = []) => {
      const links = (others as readonly OtlpTrace[]).map((other) => other.span);
      const below = startSpan(name, SpanKind.CLIENT, trace.setSpan(ROOT_CONTEXT, span), links);
      below.describe(attributes);
      return below;
    },
    end: (error) => {
      if (error !== undefined) {
        span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      span.end();
    },
  };
}
