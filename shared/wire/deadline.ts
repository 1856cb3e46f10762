// The remaining time of a caller, as the worker and origins read it: one grammar and one set of bounds.
import { EarshotError, type ErrorSource } from './errors.ts';

/** Remaining time of the caller in whole milliseconds. The callee refuses work that cannot end in time. */
export const DEADLINE_HEADER = 'earshot-deadline-ms';
export const DEADLINE_PATTERN = /^\d{1,6}$/;
export const DEADLINE_GRAMMAR = 'a whole number of milliseconds, of up to 6 digits';

const MAX_SHOWN_CHARACTERS = 64;

/**
 * Milliseconds that the caller has left; undefined without the header. Throws `invalid_request` for a header that does
 * not match DEADLINE_PATTERN, and `deadline_exceeded` for 0.
 */
export function readDeadlineMs(header: string | null | undefined, source: ErrorSource): number | undefined {
  if (header === null || header === undefined) return undefined;
  if (!DEADLINE_PATTERN.test(header)) {
    const got = JSON.stringify(header.slice(0, MAX_SHOWN_CHARACTERS));
    throw new EarshotError(
      'invalid_request',
      source,
      `expected ${DEADLINE_HEADER} to be ${DEADLINE_GRAMMAR}, got ${got}`,
    );
  }
  const ms = Number(header);
  if (ms === 0) throw new EarshotError('deadline_exceeded', source, 'the deadline had passed on arrival');
  return ms;
}
