// Retry-After (RFC 9110, section 10.2.3): whole seconds, or a date.

/** Milliseconds from `nowMs` until the moment that `header` names. Undefined for a missing or malformed header. */
export function readRetryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const atMs = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
