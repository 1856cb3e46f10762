// What a caller is told who gets no answer (RFC 9457): the code and its public text; what is inside stays in the log.
import { type ErrorCode, problemOf } from '../../shared/wire/errors.ts';

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `detail` is for the callers whose own mistake it is; `retryAfterSeconds` for those who should come again (RFC 9110, section 10.2.3). */
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
