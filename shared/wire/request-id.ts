// The id of one request, from the caller's first log line to the origin's: the caller's own X-Request-Id, the trace id
// of its traceparent (W3C Trace Context), or an id that the edge makes.

export const REQUEST_ID_HEADER = 'X-Request-Id';

/** Short, and safe in a header, a log line and a shell. */
const REQUEST_ID_PATTERN = /^[A-Za-z0-9._:=+-]{1,64}$/;

/** `header` if it is a well-formed request id. */
export const readRequestId = (header: string | null | undefined): string | undefined =>
  header !== null && header !== undefined && REQUEST_ID_PATTERN.test(header) ? header : undefined;
