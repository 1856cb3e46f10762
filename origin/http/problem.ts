// Problem documents of an origin, ready to send.
import type { ErrorCode } from '../../shared/wire/errors.ts';
import { makeProblem, PROBLEM_TYPE } from '../../shared/wire/problem.ts';

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `detail` explains a mistake of the caller. `retryAfterSeconds` becomes Retry-After (RFC 9110, section 10.2.3). */
export function makeProblemAnswer(code: ErrorCode, detail?: string, retryAfterSeconds?: number): ProblemAnswer {
  const problem = makeProblem(code, detail);
  const retryAfter = retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) };
  return {
    status: problem.status,
    headers: { 'Content-Type': PROBLEM_TYPE, ...retryAfter },
    body: JSON.stringify(problem),
  };
}
