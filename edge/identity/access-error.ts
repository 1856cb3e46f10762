// A request that was refused for who sent it, with the challenge that RFC 6750, section 3, wants in the answer.

import type { Scope } from '../../shared/domain/identity.ts';
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';

const REALM = 'Bearer realm="earshot"';

export class AccessError extends EarshotError {
  /** The value of WWW-Authenticate. */
  readonly challenge: string;

  constructor(code: ErrorCode, message: string, challenge: string, options?: { cause?: unknown }) {
    super(code, 'edge', message, options);
    this.challenge = challenge;
  }
}

/** No bearer token came: section 3.1 says to name no error then. */
export const missingToken = (): AccessError =>
  new AccessError('unauthenticated', 'expected a bearer token in Authorization, got none', REALM);

/** `reason` is shown to the caller. */
export const invalidToken = (reason: string, cause?: unknown): AccessError =>
  new AccessError('unauthenticated', reason, `${REALM}, error="invalid_token", error_description="${reason}"`, {
    cause,
  });

export const missingScope = (scope: Scope): AccessError =>
  new AccessError(
    'forbidden',
    `the token lacks the scope ${scope}`,
    `${REALM}, error="insufficient_scope", scope="${scope}"`,
  );
