// Errors of requests that are refused because of their caller, with the challenge of RFC 6750, section 3.
import type { Scope } from '../../shared/domain/identity.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

const REALM = 'Bearer realm="earshot"';

const challenge = (value: string) => ({ 'WWW-Authenticate': value });

/** The request has no bearer token. RFC 6750, section 3.1, names no error then. */
export const missingToken = (): EarshotError =>
  new EarshotError('unauthenticated', 'edge', 'expected a bearer token in Authorization, got none', {
    headers: challenge(REALM),
  });

/** `reason` is public. */
export const invalidToken = (reason: string, cause?: unknown): EarshotError =>
  new EarshotError('unauthenticated', 'edge', reason, {
    cause,
    headers: challenge(`${REALM}, error="invalid_token", error_description="${reason}"`),
  });

export const missingScope = (scope: Scope): EarshotError =>
  new EarshotError('forbidden', 'edge', `the token lacks the scope ${scope}`, {
    headers: challenge(`${REALM}, error="insufficient_scope", scope="${scope}"`),
  });
