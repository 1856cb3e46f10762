// A trace as text: one line a span, indented below its parent, with its start in the trace and its duration.

export type Attributes = Readonly<Record<string, unknown>>;

export interface CollectedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first span of a trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Milliseconds since the epoch, with fractions. The worker's have none. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  /** Ids of spans of other traces for which the span worked, too. */
  readonly links: readonly string[];
}

export function describeTrace(spans: readonly CollectedSpan[]): string {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const byParent = Map.groupBy(spans, ({ parentSpanId }) =>
    parentSpanId !== undefined && known.has(parentSpanId) ? parentSpanId : undefined,
  );
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const lines: string[] = [`trace ${spans[0]?.traceId ?? ''}`];
  const describe = (parent: string | undefined, depth: number): void => {
    for (const span of byParent.get(parent)?.sort((a, b) => a.startMs - b.startMs) ?? []) {
      lines.push(describeSpan(span, startMs, depth));
      describe(span.spanId, depth + 1);
    }
  };
  describe(undefined, 0);
  return `${lines.join('\n')}\n`;
}

function describeSpan(
  { service, name, startMs, endMs, attributes, links }: CollectedSpan,
  from: number,
  depth: number,
) {
  const of = attributes['earshot.of'];
  const label = `${'  '.repeat(depth)}${name}${of === undefined ? '' : ` ${of}`}`;
  const shown = Object.entries(attributes).filter(([key]) => key.startsWith('earshot.') && key !== 'earshot.of');
  const notes = [
    ...shown.map(([key, value]) => `${key.slice('earshot.'.length)}=${value}`),
    ...(links.length === 0 ? [] : [`also for ${links.length} others`]),
  ];
  const at = (startMs - from).toFixed(1).padStart(8);
  const took = (endMs - startMs).toFixed(1).padStart(8);
  return `${at} ${took} ms  ${service.replace('earshot-', '').padEnd(7)} ${label}  ${notes.join(' ')}`.trimEnd();
}
