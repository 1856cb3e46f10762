// Authentication of the edge, the only caller of an origin: a short-lived token of the audience `earshot-origin`.
import { errors, jwtVerify } from 'jose';
import { createVerifiedTokens } from '../../shared/caching/verified-tokens.ts';
import { ORIGIN_AUDIENCE } from '../../shared/domain/identity.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

/** Checks an `Authorization` header. Rejects with `unauthenticated` without a valid token of the edge. */
export interface VerifyCaller {
  (authorization: string | undefined): Promise<void>;
  /** Whether the header was verified before and has not expired, without a promise. */
  isKnown(authorization: string | undefined): boolean;
}

/** The edge uses a token for minutes, so few are in use at a time. */
const MAX_KNOWN_HEADERS = 1000;

/** Accepts a token of any of `secrets`: while the secret is changed there are two. */
export function createCallerVerifier(secrets: readonly string[], clock: Clock): VerifyCaller {
  const keys = secrets.map((secret) => Buffer.from(secret));
  const verified = createVerifiedTokens<object>(clock, MAX_KNOWN_HEADERS);
  const isKnown = (authorization: string | undefined): boolean => verified.get(authorization) !== undefined;

  async function verifyCaller(authorization: string | undefined): Promise<void> {
    if (isKnown(authorization)) return;
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '')?.[1];
    if (authorization === undefined || token === undefined)
      throw new EarshotError('unauthenticated', 'origin', 'expected a bearer token, got none');
    const claims = await verify(token);
    verified.set(authorization, claims, claims.exp * 1000);
  }

  async function verify(token: string): Promise<{ exp: number }> {
    let cause: unknown;
    for (const key of keys) {
      try {
        const { payload } = await jwtVerify<{ exp: number }>(token, key, {
          algorithms: ['HS256'],
          audience: ORIGIN_AUDIENCE,
          requiredClaims: ['exp'],
          currentDate: new Date(clock.now()),
        });
        return payload;
      } catch (error) {
        cause = error;
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
      }
    }
    throw new EarshotError('unauthenticated', 'origin', 'the token was refused', { cause });
  }
  return Object.assign(verifyCaller, { isKnown });
}
