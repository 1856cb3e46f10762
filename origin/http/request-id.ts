// The id of the request that the edge sent, for answers and log lines. A batch of several callers has the id of the
// first one.
import type { IncomingHttpHeaders } from 'node:http';
import { readRequestId } from '../../shared/wire/request-id.ts';
import { readTraceparent, TRACEPARENT_HEADER, traceIdOf } from '../../shared/wire/traceparent.ts';

/** Undefined without a well-formed one: a probe or a scrape sends none. */
export function requestIdOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['x-request-id'];
  return typeof header === 'string' ? readRequestId(header) : undefined;
}

/** The fields that name a request in the log. A malformed header is not logged. */
export const describeRequest = (headers: IncomingHttpHeaders) => {
  const traceparent = headers[TRACEPARENT_HEADER];
  return {
    requestId: requestIdOf(headers),
    traceId: traceIdOf(readTraceparent(typeof traceparent === 'string' ? traceparent : undefined)),
  };
};
