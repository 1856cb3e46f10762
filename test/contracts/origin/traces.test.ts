// The spans of an origin, in a collector: those of requests that the edge records, and no others.
import { expect, onTestFinished, test } from 'vitest';
import { CONTROL_HOST, startControlListener } from '../../../dev/control-listener.ts';
import { createCollector } from '../../../dev/traces/collector.ts';
import type { CollectedSpan } from '../../../dev/traces/describe-trace.ts';
import { startOtlpTracing } from '../../../origin/tracing/otlp-tracing.ts';
import { MONDAY, startInstance } from './instance.ts';
import { runOrigin } from './running-origin.ts';

const traceId = (digit: string): string => digit.repeat(32);
const parent = (digit: string, flags = '01') => ({ traceparent: `00-${traceId(digit)}-${digit.repeat(16)}-${flags}` });
const key = (user: string) => ({ user, surface: 'home', variant: 'control', generation: MONDAY });

async function startTraced() {
  const warnings: object[] = [];
  const collector = await startControlListener(createCollector(), 0);
  onTestFinished(() => collector.close());
  const url = `http://${CONTROL_HOST}:${collector.port}`;
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url;
  const logger = { warn: (fields: object) => void warnings.push(fields) };
  const tracing = startOtlpTracing({ region: 'asia', build: '1.0.0', logger: logger as never });
  const running = await runOrigin(await startInstance(), {}, tracing);
  return {
    ...running,
    collector,
    warnings,
    close: tracing.close,
    /** After the export of all spans. */
    spans: async (): Promise<CollectedSpan[]> => {
      await tracing.close();
      return ((await (await fetch(`${url}/traces`)).json()) as CollectedSpan[][]).flat();
    },
  };
}

const outline = (spans: readonly CollectedSpan[]) =>
  spans.map(({ name, traceId: id, parentSpanId }) => {
    const above = spans.find(({ spanId }) => spanId === parentSpanId)?.name ?? parentSpanId;
    return `${id[0]} ${name} below ${above}`;
  });

test('a recorded request has its spans below the span of the edge, and another has none', async () => {
  const { readLists, spans } = await startTraced();
  expect((await readLists([key('u:1')], parent('a'))).status).toBe(200);
  expect((await readLists([key('u:2')], parent('b', '00'))).status).toBe(200);
  expect((await readLists([key('u:3')], { traceparent: 'x' })).status).toBe(200);
  expect((await readLists([key('u:4')])).status).toBe(200);
  const all = await spans();
  expect(outline(all).sort()).toEqual([
    'a ReadRows below lists:read',
    `a lists:read below ${'a'.repeat(16)}`,
    'a queue below lists:read',
  ]);
  const read = all.find(({ name }) => name === 'ReadRows');
  expect(read?.attributes).toEqual({ 'earshot.table': 'recommendations', 'earshot.keys': 1, 'earshot.route': 'local' });
  const request = all.find(({ name }) => name === 'lists:read');
  expect(request?.attributes).toEqual({ 'earshot.keys': 1, 'http.response.status_code': 200 });
});

test('a request of a stranger has no span, whatever its traceparent says', async () => {
  const { readLists, spans } = await startTraced();
  expect((await readLists([key('u:21')], { ...parent('a'), authorization: 'Bearer x' })).status).toBe(401);
  expect(await spans()).toEqual([]);
});

test('a collector that is gone costs no read, and one line of the log says so', async () => {
  const { readLists, collector, close, warnings } = await startTraced();
  await collector.close();
  expect((await readLists([key('u:31')], parent('a'))).status).toBe(200);
  await close();
  expect(warnings).toEqual([{ reason: expect.stringContaining('ECONNREFUSED') }]);
});
