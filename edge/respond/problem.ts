// Errors on the wire: problem details (RFC 9457) with a stable code. What went wrong inside goes to the log, never to the caller.
import { type EarshotError, problemOf } from '../../shared/wire/errors.ts';
import { AccessError } from '../identity/access-error.ts';
import { MediaTypeError } from '../routes/media-type-error.ts';
import { EVERY_ANSWER } from './every-answer.ts';

const RETRY_AFTER_SECONDS = '1';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** Of a 4xx only: what the caller can put right. */
  readonly detail?: string;
}

/** What the caller is told of `error`. */
export function makeProblem({ code, message }: EarshotError): Problem {
  const { status, title } = problemOf(code);
  const detail = status < 500 ? { detail: message } : {};
  return { type: `urn:earshot:problem:${code}`, title, status, code, ...detail };
}

/** `headers` are added to those that every problem has. */
export function respondWithProblem(error: EarshotError, headers: Readonly<Record<string, string>> = {}): Response {
  const problem = makeProblem(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      ...EVERY_ANSWER,
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(error.retryable ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
      ...(error instanceof AccessError ? { 'WWW-Authenticate': error.challenge } : {}),
      ...(error instanceof MediaTypeError ? error.accepted : {}),
      ...headers,
    },
  });
}
