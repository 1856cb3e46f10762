// Errors on the wire: problem details (RFC 9457) with a stable code. What went wrong inside goes to the log, never to the caller.
import { type EarshotError, problemOf } from '../shared/errors.ts';
import { AccessError } from './access-error.ts';

const RETRY_AFTER_SECONDS = '1';

/** `headers` are added to those that every problem has. */
export function respondWithProblem(error: EarshotError, headers: Readonly<Record<string, string>> = {}): Response {
  const { status, title, retryable } = problemOf(error.code);
  const detail = status < 500 ? { detail: error.message } : {};
  return new Response(
    JSON.stringify({ type: `urn:earshot:problem:${error.code}`, title, status, code: error.code, ...detail }),
    {
      status,
      headers: {
        'Content-Type': 'application/problem+json',
        'Cache-Control': 'no-store',
        ...(retryable ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
        ...(error instanceof AccessError ? { 'WWW-Authenticate': error.challenge } : {}),
        ...headers,
      },
    },
  );
}
