// Problem documents (RFC 9457): the code and its public text. Internal details stay in the log.
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `detail` explains a mistake of the caller. `retryAfterSeconds` becomes Retry-After (RFC 9110, section 10.2.3). */
export function makeProblem(code: ErrorCode, detail?: string, retryAfterSeconds?: number): Problem {
  const { status, title } = problemOf(code);
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
    },
    body: JSON.stringify({ type: `urn:earshot:problem:${code}`, title, status, code, detail }),
  };
}
