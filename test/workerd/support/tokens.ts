// Tokens for tests: valid ones, and every kind of invalid one.
import { CompactSign, SignJWT } from 'jose';
import { LISTENER_AUDIENCE } from '../../../shared/domain/identity.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';

export const TOKEN_SECRET = 'listener-secret-for-tests-only-0123456789';
export const ORIGIN_SECRET = 'origin-secret-for-tests-only-0123456789-';

export interface TokenOptions {
  readonly sub?: string | null;
  readonly scope?: string;
  /** Further claims. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly audience?: string | string[];
  readonly issuer?: string;
  readonly secret?: string;
  /** Seconds from `nowMs`; null for a token without an expiry. */
  readonly expiresInSeconds?: number | null;
  readonly nowMs: number;
}

export function signToken(options: TokenOptions): Promise<string> {
  const { sub = 'ann', scope, audience = LISTENER_AUDIENCE, issuer, secret = TOKEN_SECRET, nowMs } = options;
  const { expiresInSeconds = 600, claims } = options;
  const issuedAt = Math.floor(nowMs / 1000);
  const token = new SignJWT({ ...claims, ...(scope === undefined ? {} : { scope }) })
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience(audience)
    .setIssuedAt(issuedAt);
  if (sub !== null) token.setSubject(sub);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (expiresInSeconds !== null) token.setExpirationTime(issuedAt + expiresInSeconds);
  return token.sign(encodeUtf8(secret));
}

/** A correctly signed token with any JSON as its claims. */
export const signClaims = (claims: unknown, secret: string = TOKEN_SECRET): Promise<string> =>
  new CompactSign(encodeUtf8(JSON.stringify(claims))).setProtectedHeader({ alg: 'HS256' }).sign(encodeUtf8(secret));
