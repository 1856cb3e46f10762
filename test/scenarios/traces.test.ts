// One trace of a read, from the worker to ReadRows, in the collector of the local cloud.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import type { CollectedSpan } from '../../dev/traces/describe-trace.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { eventually } from '../support/waiting.ts';

/** The worker's clock has whole milliseconds, and stands still between two inputs. */
const CLOCK_STEP_MS = 2;
/** Reads of cold lists; a loaded machine pauses in some of them. */
const READS = 10;

let cloud: TestCloud;
let tracesUrl: string;

beforeAll(async () => {
  cloud = await startTestCloud('--traces');
  tracesUrl = cloud.describe().tracesUrl ?? '';
});

afterAll(async () => {
  await cloud.stop();
});

async function read(user: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(`${cloud.edgeUrl}/v1/me/recommendations/home`, {
    headers: { authorization: `Bearer ${await cloud.mintToken(user)}`, ...headers },
  });
  expect(response.status).toBe(200);
  return response;
}

/** The trace of the request, once it has a span that `isWhole` accepts. */
async function traceOf(response: Response, isWhole: (span: CollectedSpan) => boolean): Promise<CollectedSpan[]> {
  const id = response.headers.get('x-request-id');
  let found: CollectedSpan[] = [];
  await eventually(async () => {
    const traces = (await (await fetch(`${tracesUrl}/traces`)).json()) as CollectedSpan[][];
    found = traces.find((spans) => spans.some(({ attributes }) => attributes['earshot.request_id'] === id)) ?? [];
    expect(found.some(isWhole)).toBe(true);
  });
  return found;
}

const isTableRead = ({ name }: CollectedSpan): boolean => name === 'ReadRows';
/** The spans of Earshot; the platform closes its own for a call to an object when it collects the call's garbage. */
const OWN = new Set(['token', 'manifest', 'colo', 'region', 'origin', 'lists:read', 'queue', 'ReadRows']);

test('a cold read is one trace: worker, region object, origin, ReadRows, each span within its parent', async () => {
  const shares: string[] = [];
  let explained = false;
  for (let i = 1; i <= READS && !explained; i++) {
    const spans = await traceOf(await read(`listener:${i}`), isTableRead);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['earshot-edge', 'earshot-origin']));
    expectWithinParents(spans);
    const { answerMs, unexplainedMs } = accountFor(spans);
    shares.push(`${unexplainedMs} of ${answerMs} ms`);
    explained = unexplainedMs <= Math.max(5, answerMs / 10);
  }
  console.log(`not in any step of the worker: ${shares.join(', ')}`);
  expect(explained).toBe(true);
});

/** Every span but the first has a parent in the trace, and Earshot's own lie within theirs. */
function expectWithinParents(spans: readonly CollectedSpan[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(1);
  const chain = ['lists:read', 'origin', 'jsRpcCall'];
  for (let span = spans.find(isTableRead); chain.length > 0; ) {
    span = span && byId.get(span.parentSpanId ?? '');
    expect(span?.name).toBe(chain.shift());
  }
  for (const span of spans) {
    if (span.parentSpanId === undefined) continue;
    const parent = byId.get(span.parentSpanId);
    expect(parent, `the parent of ${span.name}`).toBeDefined();
    if (parent === undefined || !OWN.has(span.name)) continue;
    const label = `${span.name} in ${parent.name}`;
    expect(span.startMs, label).toBeGreaterThanOrEqual(parent.startMs - CLOCK_STEP_MS);
    if (!isCancelled(parent)) expect(span.endMs, label).toBeLessThanOrEqual(parent.endMs + CLOCK_STEP_MS);
  }
}

/** A hedge that has lost: its caller does not wait for its end. */
const isCancelled = ({ attributes }: CollectedSpan): boolean =>
  attributes['earshot.bypassed'] === 'cancelled' || attributes['earshot.failed'] === 1;

/** Time to the answer, and the part of it in which no step of the worker ran. */
function accountFor(spans: readonly CollectedSpan[]) {
  const root = spans.find(({ parentSpanId }) => parentSpanId === undefined) as CollectedSpan;
  const answeredAtMs = Number(root.attributes['earshot.answered_ms']);
  const steps = spans.filter(({ parentSpanId }) => parentSpanId === root.spanId).sort((a, b) => a.startMs - b.startMs);
  let unexplainedMs = 0;
  let reachedMs = root.startMs;
  for (const { startMs, endMs } of [...steps, { startMs: answeredAtMs, endMs: answeredAtMs }]) {
    unexplainedMs += Math.max(0, Math.min(startMs, answeredAtMs) - reachedMs);
    reachedMs = Math.max(reachedMs, endMs);
  }
  return { answerMs: answeredAtMs - root.startMs, unexplainedMs };
}

test("a caller's trace is named, and is not continued", async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const response = await read('listener:20', {
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    'x-request-id': 'own',
  });
  const spans = await traceOf(response, isTableRead);
  const root = spans.find(({ parentSpanId }) => parentSpanId === undefined);
  expect(root?.attributes['earshot.caller_trace_id']).toBe(traceId);
  expect(root?.traceId).not.toBe(traceId);
});

test('the collector shows a trace as text', async () => {
  const [root] = await traceOf(await read('listener:21'), isTableRead);
  const text = await (await fetch(`${tracesUrl}/traces/${root?.traceId}`)).text();
  expect(text).toMatch(/ ms {2}edge {4}fetch {2}.*request_id=/);
  expect(text).toMatch(/ ms {2}origin {2} +ReadRows {2}table=recommendations keys=\d+ route=local/);
});
