// The id of the request in hand. It is made at most once per request, and kept in Hono's context for errors and logs.
import type { Context } from 'hono';
import { REQUEST_ID_HEADER, readRequestId } from '../../shared/wire/request-id.ts';
import { readTraceparent, traceIdOf } from '../../shared/wire/traceparent.ts';
import type { LogFields } from '../log.ts';

const VARIABLE = 'requestId';
const TRACEPARENT = 'traceparent';

export function requestIdOf(c: Context): string {
  const known = c.get(VARIABLE) as string | undefined;
  if (known !== undefined) return known;
  const id = chooseRequestId((name) => c.req.header(name));
  c.set(VARIABLE, id);
  return id;
}

/** The caller's X-Request-Id, the trace id of its traceparent, or a new id. A malformed header counts as none. */
export const chooseRequestId = (header: (name: string) => string | null | undefined): string =>
  readRequestId(header(REQUEST_ID_HEADER)) ??
  traceIdOf(readTraceparent(header(TRACEPARENT) ?? undefined)) ??
  makeRequestId();

/** The caller's `traceparent` if it is well-formed. */
export const traceparentOf = (c: Context): string | undefined => readTraceparent(c.req.header(TRACEPARENT));

/** The fields that name a request in the log. */
export const describeRequest = (requestId: string | undefined, traceparent: string | undefined): LogFields => ({
  requestId,
  traceId: traceIdOf(traceparent),
});

/** The isolate's part of its ids, made late: there is no randomness before the first request. */
let isolate: string | undefined;
let made = 0;

/** 32 hex digits, unique among all isolates. A counter costs much less than new randomness for each request. */
export function makeRequestId(): string {
  isolate ??= crypto.randomUUID().replaceAll('-', '').slice(0, 24);
  made = (made + 1) % 0x1_0000_0000;
  return isolate + made.toString(16).padStart(8, '0');
}
