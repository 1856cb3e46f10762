// Errors on the wire: problem details (RFC 9457) with a stable code. Internal detail goes to the log, never to the
// caller.
import type { EarshotError } from '../../shared/wire/errors.ts';
import { makeProblem, PROBLEM_TYPE } from '../../shared/wire/problem.ts';
import { everyAnswer } from './every-answer.ts';

const RETRY_AFTER_SECONDS = '1';

/** `headers` are added to those of every problem and of the error. */
export function respondWithProblem(
  error: EarshotError,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = makeProblem(error.code, error.message);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      ...everyAnswer(requestId),
      'Content-Type': PROBLEM_TYPE,
      'Cache-Control': 'no-store',
      ...(error.retryable ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
      ...error.headers,
      ...headers,
    },
  });
}
