// Problem details (RFC 9457): the one form of an error on the wire, at the edge and at origins.
import { type ErrorCode, problemOf } from './errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** For a 4xx only: the part of the request that the caller has to change. */
  readonly detail?: string;
}

/** `detail` is dropped for a 5xx: internal detail goes to the log. */
export function makeProblem(code: ErrorCode, detail?: string): Problem {
  const { status, title } = problemOf(code);
  const own = detail === undefined || status >= 500 ? {} : { detail };
  return { type: `urn:earshot:problem:${code}`, title, status, code, ...own };
}
