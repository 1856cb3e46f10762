// Errors on the wire: problem details (RFC 9457) with a stable code. Internal detail goes to the log, never to the
// caller.
import { type EarshotError, problemOf } from '../../shared/wire/errors.ts';
import { EVERY_ANSWER } from './every-answer.ts';

const RETRY_AFTER_SECONDS = '1';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** For a 4xx only: the part of the request that the caller has to change. */
  readonly detail?: string;
}

export function makeProblem({ code, message }: EarshotError): Problem {
  const { status, title } = problemOf(code);
  const detail = status < 500 ? { detail: message } : {};
  return { type: `urn:earshot:problem:${code}`, title, status, code, ...detail };
}

/** `headers` are added to those of every problem and of the error. */
export function respondWithProblem(error: EarshotError, headers: Readonly<Record<string, string>> = {}): Response {
  const problem = makeProblem(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      ...EVERY_ANSWER,
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(error.retryable ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
      ...error.headers,
      ...headers,
    },
  });
}
