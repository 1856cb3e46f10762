// Problem documents of an origin, ready to send.
import { type EarshotError, type ErrorCode, problemOf } from '../../shared/wire/errors.ts';
import { makeProblem, PROBLEM_TYPE } from '../../shared/wire/problem.ts';

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `detail` explains a mistake of the caller. */
export function makeProblemAnswer(
  code: ErrorCode,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): ProblemAnswer {
  const problem = makeProblem(code, detail);
  return {
    status: problem.status,
    headers: { 'Content-Type': PROBLEM_TYPE, ...headers },
    body: JSON.stringify(problem),
  };
}

/** The message of a 5xx stays here. */
export const problemOfError = ({ code, message, headers }: EarshotError): ProblemAnswer =>
  makeProblemAnswer(code, problemOf(code).status < 500 ? message : undefined, headers);

/** With Retry-After (RFC 9110, section 10.2.3). */
export const overloadedAnswer = (retryAfterSeconds: number): ProblemAnswer =>
  makeProblemAnswer('overloaded', undefined, { 'Retry-After': String(retryAfterSeconds) });
