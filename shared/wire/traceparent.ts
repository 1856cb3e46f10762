// W3C Trace Context (https://www.w3.org/TR/trace-context/), section 3.2, as the worker and origins read it.

export const TRACEPARENT_HEADER = 'traceparent';

/** The caller's `traceparent` if it is well-formed. Ids of zeros alone are invalid. */
export const readTraceparent = (header: string | null | undefined): string | undefined =>
  typeof header === 'string' && /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/.test(header)
    ? header
    : undefined;

/** The trace id of a valid `traceparent`, for log lines. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);
