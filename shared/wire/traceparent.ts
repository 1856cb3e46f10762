// W3C Trace Context (https://www.w3.org/TR/trace-context/), section 3.2, as the worker and origins read it.

export const TRACEPARENT_HEADER = 'traceparent';

/** The caller's `traceparent` if it is well-formed. Ids of zeros alone are invalid. */
export const readTraceparent = (header: string | null | undefined): string | undefined =>
  typeof header === 'string' && /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/.test(header)
    ? header
    : undefined;

/** The trace id of a valid `traceparent`, for log lines. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);

/** `spanId`: that of the caller's span. A callee records its own spans only if `isSampled`. */
export const formatTraceparent = (traceId: string, spanId: string, { isSampled }: { isSampled: boolean }): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;

/** Ids of a valid `traceparent`, and whether its sender records the trace. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export const parseTraceparent = (traceparent: string): TraceContext => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  isSampled: (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1,
});
