// The token of a caller of an origin (JWT, RFC 7519, HS256): its form, and how the worker and `earshot` mint it. Its
// key id lets an origin pick the key directly while the secret is changed.
import { base64url, calculateJwkThumbprint, SignJWT } from 'jose';
import { ORIGIN_AUDIENCE } from '../domain/identity.ts';
import { encodeUtf8 } from '../runtime/bytes.ts';

/** Lifetime of a minted token. */
export const ORIGIN_TOKEN_SECONDS = 300;
/** An origin refuses a token whose `exp` is more than this after its `iat`. */
export const MAX_ORIGIN_TOKEN_SECONDS = 600;

const KEY_ID_CHARACTERS = 8;

/** The start of the key's thumbprint (RFC 7638): 48 bits, which tell two secrets apart and reveal neither. */
export async function makeKeyId(secret: string): Promise<string> {
  const thumbprint = await calculateJwkThumbprint({ kty: 'oct', k: base64url.encode(encodeUtf8(secret)) });
  return thumbprint.slice(0, KEY_ID_CHARACTERS);
}

export interface OriginTokenClaims {
  /** The caller: `edge`, or `earshot` for the command. */
  readonly subject: string;
  /** The only region whose origins accept the token. */
  readonly region: string;
  readonly nowMs: number;
  /** Default: ORIGIN_TOKEN_SECONDS. */
  readonly lifetimeSeconds?: number;
}

export async function mintOriginToken(secret: string, claims: OriginTokenClaims): Promise<string> {
  const { subject, region, nowMs, lifetimeSeconds = ORIGIN_TOKEN_SECONDS } = claims;
  const issuedAt = Math.floor(nowMs / 1000);
  return new SignJWT({ region })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: await makeKeyId(secret) })
    .setSubject(subject)
    .setAudience(ORIGIN_AUDIENCE)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifetimeSeconds)
    .sign(encodeUtf8(secret));
}
