import { describe, expect, test } from 'vitest';
import { createTracing, type PlatformTracing } from '../../../edge/request/trace.ts';
import { createHarness } from '../support/harness.ts';

const PATH = '/v1/me/recommendations/home';
const LISTS = '/internal/v1/lists:read';
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

interface RecordedSpan {
  readonly name: string;
  readonly spanId: string;
  readonly attributes: Record<string, unknown>;
}

/** The platform's tracing with one request in hand. The active span is the last one that was entered. */
function createPlatform({ isTraced = true, traceId = TRACE_ID } = {}) {
  const spans: RecordedSpan[] = [];
  const enter = (name: string) => {
    const span = {
      name,
      spanId: String(spans.length + 1).padStart(16, '0'),
      attributes: {} as Record<string, unknown>,
    };
    spans.push(span);
    return {
      isTraced,
      spanContext: () => ({ traceId, spanId: span.spanId }),
      setAttribute: (key: string, value: unknown) => {
        span.attributes[key] = value;
      },
    };
  };
  let active = enter('request');
  const tracing: PlatformTracing = {
    getActiveSpan: () => active,
    enterSpan: (name, step) => {
      active = enter(name);
      return step(active);
    },
  };
  return { tracing, spans };
}

const isOpened = (ratio: number, traceId: string): boolean =>
  createTracing(createPlatform({ traceId }).tracing, ratio)() !== undefined;

describe('a request', () => {
  test('has no trace without the platform, at ratio 0, or if the platform does not record it', () => {
    expect(createTracing(undefined, 1)()).toBeUndefined();
    expect(isOpened(0, `${'0'.repeat(31)}1`)).toBe(false);
    expect(createTracing(createPlatform({ isTraced: false }).tracing, 1)()).toBeUndefined();
    expect(isOpened(1, 'f'.repeat(32))).toBe(true);
  });

  test('is chosen by the end of its trace id, so that worker and objects agree', () => {
    expect(isOpened(0.25, `${'f'.repeat(24)}3fffffff`)).toBe(true);
    expect(isOpened(0.25, `${'0'.repeat(24)}40000000`)).toBe(false);
  });

  test('that is recorded has a span for each step, and origins join below the active one', async () => {
    const { tracing, spans } = createPlatform();
    const edge = createHarness({ env: { TRACE_RATIO: '1' }, tracing });
    const headers = { 'x-request-id': 'req-7', traceparent: `00-${'a'.repeat(32)}-00f067aa0ba902b7-01` };
    await edge.get(PATH, { headers });
    expect(spans[0]?.attributes).toEqual({ 'earshot.request_id': 'req-7', 'earshot.caller_trace_id': 'a'.repeat(32) });
    const names = spans.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['token', 'manifest', 'colo', 'origin']));
    const [sent] = edge.origins.calls.filter(({ path }) => path === LISTS);
    const origin = spans.find(({ name }) => name === 'origin');
    expect(sent?.headers.get('traceparent')).toBe(`00-${TRACE_ID}-${origin?.spanId}-01`);
    expect(origin?.attributes).toMatchObject({ 'earshot.of': 'asia', 'earshot.keys': 1, 'earshot.failed': 0 });
  });

  test('without TRACE_RATIO opens no span', async () => {
    const { tracing, spans } = createPlatform();
    const edge = createHarness({ tracing });
    await edge.get(PATH);
    expect(spans.map(({ name, attributes }) => [name, attributes])).toEqual([['request', {}]]);
    expect(edge.origins.calls.map(({ headers }) => headers.get('traceparent'))).toEqual(
      edge.origins.calls.map(() => null),
    );
  });
});

test.each(['-1', '1.5', '1e-2', 'all', '.5'])('TRACE_RATIO %s is refused', async (ratio) => {
  expect(() => createHarness({ env: { TRACE_RATIO: ratio } })).toThrow(
    `TRACE_RATIO: expected a number from 0 to 1, for example 0.01, got "${ratio}"`,
  );
});
