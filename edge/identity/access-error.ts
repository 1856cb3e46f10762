// Errors of requests that are refused because of their caller, with the challenge of RFC 6750, section 3.
import { EarshotError } from '../../shared/wire/errors.ts';

const REALM = 'Bearer realm="earshot"';

const challenge = (value: string) => ({ 'WWW-Authenticate': value });

/** The check that a token failed. The log names it; the caller sees it only where it can act on it. */
export type RejectionReason =
  /** No token. */
  | 'missing'
  /** Not a signed token. */
  | 'malformed'
  | 'too_long'
  /** A header that the worker does not understand: `crit`, `b64`, or a `typ` of another kind of token. */
  | 'header'
  /** Signed with an algorithm that is not allowed. */
  | 'algorithm'
  /** No held key has the id that the token names. */
  | 'unknown_key'
  | 'signature'
  | 'expired'
  | 'not_yet_valid'
  /** Issued for longer than tokens may live. */
  | 'lifetime'
  | 'audience'
  | 'issuer'
  | 'claim_missing'
  /** A claim of another type than its specification gives it. */
  | 'claim_type'
  /** The user is outside the grammar of ids (shared/domain/ids.ts). */
  | 'user_id';

export class TokenRejected extends EarshotError {
  readonly reason: RejectionReason;
  /** The claim that was refused, if it was a claim. */
  readonly claim: string | undefined;

  constructor(
    reason: RejectionReason,
    text: string,
    { challenge: value, claim, cause }: { challenge: string; claim?: string | undefined; cause?: unknown },
  ) {
    super('unauthenticated', 'edge', text, { cause, headers: challenge(value) });
    this.reason = reason;
    this.claim = claim;
  }
}

/** The request has no bearer token. RFC 6750, section 3.1, names no error then. */
export const missingToken = (): TokenRejected =>
  new TokenRejected('missing', 'expected a bearer token in Authorization, got none', { challenge: REALM });

interface Rejection {
  /** The public text, without quotation marks. Default: the token is not valid. */
  readonly text?: string;
  readonly claim?: string | undefined;
  readonly cause?: unknown;
}

export const invalidToken = (
  reason: RejectionReason,
  { text = 'the token is not valid', ...rest }: Rejection = {},
): TokenRejected =>
  new TokenRejected(reason, text, {
    challenge: `${REALM}, error="invalid_token", error_description="${text}"`,
    ...rest,
  });

/** `scope` is in the grammar of scopes (RFC 6749, section 3.3), so it needs no escaping. */
export const missingScope = (scope: string): EarshotError =>
  new EarshotError('forbidden', 'edge', `the token lacks the scope ${scope}`, {
    headers: challenge(`${REALM}, error="insufficient_scope", scope="${scope}"`),
  });
