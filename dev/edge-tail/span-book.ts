// The spans of one invocation of a worker or an object, from the events of its streaming tail.

interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly doubleValue: number } | { readonly boolValue: boolean };
}

/** OpenTelemetry's JSON of a span (opentelemetry-proto, trace/v1). */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** 1: internal, 2: server. */
  readonly kind: 1 | 2;
  readonly startTimeUnixNano: string;
  endTimeUnixNano: string;
  readonly attributes: OtlpAttribute[];
}

export class SpanBook {
  readonly #root: string;
  readonly #spans = new Map<string, OtlpSpan>();

  constructor({ spanContext, timestamp, event }: TailStream.TailEvent<TailStream.Onset>) {
    this.#root = event.spanId;
    const name = event.entrypoint === undefined ? event.info.type : `${event.entrypoint} ${event.info.type}`;
    this.#open(event.spanId, spanContext.spanId, spanContext.traceId, name, 2, timestamp);
  }

  record({ spanContext: { traceId, spanId: at = '' }, timestamp, event }: TailStream.TailEvent<TailStream.EventType>) {
    if (event.type === 'spanOpen') this.#open(event.spanId, at, traceId, event.name, 1, timestamp);
    else if (event.type === 'attributes')
      this.#spans.get(at)?.attributes.push(...event.info.map(({ name, value }) => toAttribute(name, value)));
    else if (event.type === 'spanClose') this.#end(at, timestamp);
    else if (event.type === 'outcome') this.#end(this.#root, timestamp);
    else if (event.type === 'return' && event.info?.type === 'fetch')
      this.#spans
        .get(this.#root)
        ?.attributes.push(
          toAttribute('http.response.status_code', event.info.statusCode),
          toAttribute('earshot.answered_ms', timestamp.getTime()),
        );
  }

  spans(): readonly OtlpSpan[] {
    return [...this.#spans.values()];
  }

  #open(spanId: string, parentSpanId: string | undefined, traceId: string, name: string, kind: 1 | 2, at: Date): void {
    const nanos = toNanos(at);
    const times = { startTimeUnixNano: nanos, endTimeUnixNano: nanos };
    this.#spans.set(spanId, { traceId, spanId, parentSpanId, name, kind, ...times, attributes: [] });
  }

  #end(spanId: string, at: Date): void {
    const span = this.#spans.get(spanId);
    if (span !== undefined) span.endTimeUnixNano = toNanos(at);
  }
}

const toNanos = (at: Date): string => `${at.getTime()}000000`;

function toAttribute(key: string, value: unknown): OtlpAttribute {
  if (typeof value === 'number') return { key, value: { doubleValue: value } };
  return { key, value: typeof value === 'boolean' ? { boolValue: value } : { stringValue: String(value) } };
}
