// Sends the spans of the local worker to a collector by OTLP over HTTP (JSON). `wrangler dev` runs it beside the
// worker, as the consumer of its streaming tail: the platform's own export of traces works only on Cloudflare.
import { type OtlpSpan, SpanBook } from './span-book.ts';

interface Env {
  /** Whole address for spans. */
  readonly TRACES_URL: string;
}

export default {
  tailStream: (onset, env, context) => {
    const book = new SpanBook(onset);
    return (event) => {
      book.record(event);
      if (event.event.type === 'outcome') context.waitUntil(send(env.TRACES_URL, book.spans()));
    };
  },
} satisfies ExportedHandler<Env>;

async function send(url: string, spans: readonly OtlpSpan[]): Promise<void> {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'earshot-edge' } }] };
  const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'earshot-edge' }, spans }] }] };
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  await response.body?.cancel();
  if (!response.ok) console.error(JSON.stringify({ event: 'spans_refused', status: response.status }));
}
