// The edge's token for origins: self-signed, short-lived, and minted once per isolate and lifetime instead of per
// request.
import { SignJWT } from 'jose';
import { ORIGIN_AUDIENCE } from '../../shared/domain/identity.ts';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

const LIFETIME_SECONDS = 300;
/** Renewal this long before expiry: no token expires in transit, or under a clock that is slightly ahead. */
const RENEW_BEFORE_MS = 60_000;

export function createInternalToken({ secret, clock }: { secret: string; clock: Clock }): () => Promise<string> {
  const key = encodeUtf8(secret);
  let current: { token: string; renewAtMs: number } | undefined;
  return async () => {
    const nowMs = clock.now();
    if (current !== undefined && nowMs < current.renewAtMs) return current.token;
    const issuedAt = Math.floor(nowMs / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('edge')
      .setAudience(ORIGIN_AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFETIME_SECONDS)
      .sign(key);
    current = { token, renewAtMs: nowMs + LIFETIME_SECONDS * 1000 - RENEW_BEFORE_MS };
    return token;
  };
}
