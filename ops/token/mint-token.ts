// Signs a listener's token with a shared secret (HS256).
import { SignJWT } from 'jose';
import { systemClock } from '../../shared/runtime/clock.ts';

export interface TokenClaims {
  readonly user: string;
  readonly scope: readonly string[];
  readonly audience: string;
  /** Lifetime in milliseconds. */
  readonly expires: number;
}

export const DEFAULT_LIFETIME_MS = 3_600_000;

export async function mintToken({ user, scope, expires, audience }: TokenClaims, secret: string): Promise<string> {
  const issuedAtSeconds = Math.floor(systemClock.now() / 1000);
  return new SignJWT(scope.length === 0 ? {} : { scope: scope.join(' ') })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(user)
    .setAudience(audience)
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(issuedAtSeconds + Math.floor(expires / 1000))
    .sign(Buffer.from(secret));
}
