// Verifies the bearer token into a user and scopes. Verified tokens are remembered for a while, so a listener's next
// read costs no signature check. The log names the check that a refused token failed, never the token.
import { errors, type JWTPayload } from 'jose';
import { createVerifiedTokens } from '../../shared/caching/verified-tokens.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { isSignedJwt } from '../../shared/wire/signed-jwt.ts';
import { describeError, type Log, type LogFields } from '../log.ts';
import { invalidToken, missingToken, type RejectionReason, TokenRejected } from './access-error.ts';
import { isTooLong, tokenIn } from './bearer.ts';
import { CLOCK_TOLERANCE_SECONDS, type ClaimRules, type Identity, identityOf } from './claims.ts';
import { checkHeader } from './token-header.ts';
import type { VerificationKeys } from './token-keys.ts';

export interface VerifyContext {
  /** Fields that name the request in the log. */
  readonly about: LogFields;
  waitUntil(work: Promise<unknown>): void;
}

export interface IdentityVerifier {
  /** The identity of a recently verified `authorization`, or undefined. */
  recall(authorization: string | undefined): Identity | undefined;
  /** The identity in `authorization`. Throws `unauthenticated` for a missing or invalid token. */
  verify(authorization: string | undefined, context: VerifyContext): Promise<Identity>;
}

interface IdentityOptions {
  readonly keys: VerificationKeys;
  readonly audience: string;
  readonly issuer: string | undefined;
  readonly rules: Omit<ClaimRules, 'nowMs'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

const MAX_REMEMBERED_TOKENS = 2_000;
/**
 * A remembered token is verified again after this long. Together with the time that keys are cached
 * (provider-keys.ts), a withdrawn key works for at most 20 minutes.
 */
const REMEMBER_MS = 600_000;

export function createIdentityVerifier(options: IdentityOptions): IdentityVerifier {
  const { keys, audience, issuer, rules, clock, counters, log } = options;
  const verified = createVerifiedTokens<Identity>(clock, MAX_REMEMBERED_TOKENS);

  async function verifyToken(token: string, context: VerifyContext): Promise<Identity> {
    const payload = await readClaims(token, context);
    const identity = identityOf(payload, { ...rules, nowMs: clock.now() });
    const untilMs = Math.min((payload.exp ?? 0) * 1000, clock.now() + REMEMBER_MS);
    verified.set(token, identity, untilMs);
    return identity;
  }

  async function readClaims(token: string, { waitUntil }: VerifyContext): Promise<JWTPayload> {
    const checks = {
      audience,
      ...(issuer === undefined ? {} : { issuer }),
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(clock.now()),
    };
    try {
      checkHeader(token);
      return await keys.verify(token, checks, waitUntil);
    } catch (error) {
      throw error instanceof EarshotError ? error : toRejection(error);
    }
  }

  function recordRejection(error: unknown, { about }: VerifyContext): void {
    if (!(error instanceof TokenRejected)) return;
    counters.add('edge_rejected_tokens_total');
    const { reason, claim, cause } = error;
    log.warn('token_rejected', { reason, claim, ...(cause === undefined ? {} : describeError(cause)), ...about });
  }

  return {
    recall: (authorization) => verified.get(tokenIn(authorization)),
    verify: async (authorization, context) => {
      try {
        const token = requireToken(authorization);
        return verified.get(token) ?? (await verifyToken(token, context));
      } catch (error) {
        recordRejection(error, context);
        throw error;
      }
    },
  };
}

/** Refuses what is no token before anything is done with it. */
function requireToken(authorization: string | undefined): string {
  if (authorization === undefined) throw missingToken();
  if (isTooLong(authorization)) throw invalidToken('too_long', { text: 'the token is too long' });
  const token = tokenIn(authorization);
  if (token === undefined || !isSignedJwt(token)) throw invalidToken('malformed');
  return token;
}

/** The error of jose as a rejection that names the check. */
function toRejection(error: unknown): TokenRejected {
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined;
  if (error instanceof errors.JWTExpired)
    return invalidToken('expired', { text: 'the token has expired', claim: 'exp', cause: error });
  const reason = reasonOf(error);
  const text = claim === undefined ? undefined : TEXTS[reason]?.(claim);
  return invalidToken(reason, { ...(text === undefined ? {} : { text }), claim, cause: error });
}

/** Public texts for claims that a caller can correct. */
const TEXTS: Partial<Record<RejectionReason, (claim: string) => string>> = {
  claim_missing: (claim) => `expected the claim ${claim}, got none`,
  claim_type: (claim) => `expected the claim ${claim} to be of its type in RFC 7519`,
  not_yet_valid: () => 'the token is not valid yet',
};

function reasonOf(error: unknown): RejectionReason {
  if (error instanceof errors.JWTClaimValidationFailed) return claimReasonOf(error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JOSENotSupported) return 'header';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'unknown_key';
  // jose's own errors are about the token. Any other one is about the key: the runtime cannot use it.
  return error instanceof errors.JOSEError ? 'malformed' : 'unknown_key';
}

const FAILED_CHECKS: Readonly<Record<string, RejectionReason>> = {
  nbf: 'not_yet_valid',
  aud: 'audience',
  iss: 'issuer',
};

function claimReasonOf({ claim, reason }: errors.JWTClaimValidationFailed): RejectionReason {
  if (reason === 'missing') return 'claim_missing';
  return reason === 'invalid' ? 'claim_type' : (FAILED_CHECKS[claim] ?? 'malformed');
}
