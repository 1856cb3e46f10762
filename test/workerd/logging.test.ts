// The log of failures: it has the cause and the trace, and never a token.
import { describe, expect, test } from 'vitest';
import { describeError, stackOf } from '../../edge/log.ts';
import { createHarness } from './support/harness.ts';
import { keyOf, makeList } from './support/lists.ts';

const PATH = '/v1/me/recommendations/home';
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl';

describe('a failure', () => {
  test('is logged with its trace, for every region and for the 503 that comes of it', async () => {
    const edge = createHarness();
    edge.origins.behave('refuses', { region: 'asia', path: '/internal/v1/lists:read' });
    edge.origins.behave('table-down', { region: 'europe' });
    edge.origins.behave(500, { region: 'us', path: '/internal/v1/lists:read' });
    await edge.get(PATH, { headers: { traceparent } });
    expect(edge.logs.map(({ event, fields }) => [event, fields.region, fields.reason, fields.traceId])).toEqual([
      ['region_failed', 'asia', 'connection', TRACE_ID],
      ['table_failed', 'europe', 'unavailable', TRACE_ID],
      ['region_failed', 'us', 'status', TRACE_ID],
      ['request_failed', undefined, undefined, TRACE_ID],
    ]);
  });

  test.each(['', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff-${TRACE_ID}-00f067aa0ba902b7-01`])(
    'has no trace when the caller’s is none (%j), and an id of its own',
    async (header) => {
      const edge = createHarness();
      edge.origins.behave(500);
      const response = await edge.get(PATH, { headers: { traceparent: header } });
      expect(edge.logs.length).toBeGreaterThan(0);
      for (const { fields } of edge.logs) {
        expect(fields.traceId).toBeUndefined();
        expect(fields.requestId).toBe(response.headers.get('x-request-id'));
      }
    },
  );

  test('of an unforeseen kind is logged with its causes and stack, and the answer shows none of it', async () => {
    const edge = createHarness({
      fetch: (url, init) => {
        if (url.includes('manifest')) return edge.origins.fetch(url, init);
        throw new TypeError('connection refused', { cause: new Error(`reset while sending Bearer ${TOKEN}`) });
      },
    });
    edge.origins.put(keyOf('ann'), makeList('a'));
    const response = await edge.get(PATH);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toMatch(/refused|reset/);
    expect(edge.logs[0]?.fields).toMatchObject({
      message: 'connection refused',
      causes: 'Error: reset while sending Bearer [token]',
    });
    expect(JSON.stringify(edge.logs)).not.toContain('eyJ');
  });
});

describe('an error', () => {
  test('is described with all of its causes', () => {
    const root = new RangeError('no room');
    const error = new Error('top', { cause: new TypeError('middle', { cause: root }) });
    expect(describeError(error)).toEqual({ message: 'top', causes: 'TypeError: middle <- RangeError: no room' });
    expect(stackOf(error)).toBe(root.stack);
    expect(describeError('text')).toEqual({ message: 'text' });
    expect(stackOf('text')).toBeUndefined();
  });

  test('with circular causes is described, too', () => {
    const error = new Error('round');
    error.cause = error;
    expect(String(describeError(error).causes).split(' <- ')).toHaveLength(5);
  });

  test.each([
    [`bad token ${TOKEN}`, 'bad token [token]'],
    [`Unexpected end of "${TOKEN.slice(0, 30)}"`, 'Unexpected end of "[token]"'],
    ['authorization: bearer opaque-token-1', 'authorization: bearer [token]'],
    ['expected a bearer', 'expected a bearer'],
  ])('that says %j is logged as %j', (message, logged) => {
    expect(describeError(new Error(message)).message).toBe(logged);
    expect(describeError(new Error('x', { cause: new Error(message) })).causes).toBe(`Error: ${logged}`);
    expect(stackOf(new Error(message))).toContain(logged);
  });
});
