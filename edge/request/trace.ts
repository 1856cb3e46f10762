// Spans of a request's steps, in the platform's own tracing (`observability.traces` in wrangler.toml). The worker and
// the region object of a request are in one trace, because the platform's ids go with the call. Origins join it by the
// `traceparent` (W3C Trace Context) of the step that calls them.
import { formatTraceparent } from '../../shared/wire/traceparent.ts';

interface PlatformSpan {
  /** Whether the platform records the request. */
  readonly isTraced: boolean;
  spanContext(): { readonly traceId: string; readonly spanId: string };
  setAttribute(name: string, value: string | number | boolean): unknown;
}

/** The members of `tracing` of `cloudflare:workers` that the worker uses. */
export interface PlatformTracing {
  getActiveSpan(): PlatformSpan | undefined;
  /** The span ends when the promise of `step` settles. */
  enterSpan<T>(name: string, step: (span: PlatformSpan) => T): T;
}

export type TraceAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** The trace of one request that is recorded. */
export interface Trace {
  /** Runs `step` in a span below the active one. */
  span<T>(name: string, attributes: TraceAttributes, step: () => T): T;
  /** Sets attributes of the active span: that of the step in progress, or of the whole request. */
  describe(attributes: TraceAttributes): void;
  /** The `traceparent` below which the callee records its own spans. */
  traceparent(): string | undefined;
}

/** Opens the trace of the request in hand. Undefined if it is not recorded. */
export type OpenTrace = () => Trace | undefined;

export const neverTraced: OpenTrace = () => undefined;

/**
 * `ratio`: share of the requests that the platform records, 0 to 1, whose steps get spans. The trace's id decides, so
 * that the worker and the objects of a request agree.
 */
export function createTracing(tracing: PlatformTracing | undefined, ratio: number): OpenTrace {
  if (tracing === undefined || ratio === 0) return neverTraced;
  const trace: Trace = {
    span: (name, attributes, step) =>
      tracing.enterSpan(name, (span) => {
        setAttributes(span, attributes);
        return step();
      }),
    describe: (attributes) => {
      const span = tracing.getActiveSpan();
      if (span !== undefined) setAttributes(span, attributes);
    },
    traceparent: () => {
      const context = tracing.getActiveSpan()?.spanContext();
      return context && formatTraceparent(context.traceId, context.spanId, { isSampled: true });
    },
  };
  return () => {
    const span = tracing.getActiveSpan();
    return span?.isTraced && isChosen(span.spanContext().traceId, ratio) ? trace : undefined;
  };
}

/** By the last 32 of its random bits (W3C Trace Context Level 2, section 4.1). */
const isChosen = (traceId: string, ratio: number): boolean =>
  ratio === 1 || Number.parseInt(traceId.slice(-8), 16) < ratio * 0x1_0000_0000;

function setAttributes(span: PlatformSpan, attributes: TraceAttributes): void {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(name, value);
}
