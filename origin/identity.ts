// Who may call an origin: the edge, by a short-lived token of the audience `earshot-origin`. A listener's token opens nothing here.
import { jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../shared/clock.ts';
import { EarshotError } from '../shared/errors.ts';
import { ORIGIN_AUDIENCE } from '../shared/identity.ts';

/** Checks an `Authorization` header. Rejects with `unauthenticated` unless it carries a token of the edge that has not expired. */
export type VerifyCaller = (authorization: string | undefined) => Promise<void>;

/** The edge uses one token for minutes, so that few are ever in use at once. */
const MAX_REMEMBERED_TOKENS = 1000;

export function createCallerVerifier(secret: string, clock: Clock): VerifyCaller {
  const key = Buffer.from(secret);
  const expiresAtMs = new LRUCache<string, number>({ max: MAX_REMEMBERED_TOKENS });

  return async (authorization) => {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new EarshotError('unauthenticated', 'origin', 'expected a bearer token, got none');
    const knownUntilMs = expiresAtMs.get(token);
    if (knownUntilMs !== undefined && clock.now() < knownUntilMs) return;
    const { exp } = await verify(token);
    expiresAtMs.set(token, exp * 1000);
  };

  async function verify(token: string): Promise<{ exp: number }> {
    try {
      const { payload } = await jwtVerify<{ exp: number }>(token, key, {
        algorithms: ['HS256'],
        audience: ORIGIN_AUDIENCE,
        requiredClaims: ['exp'],
        currentDate: new Date(clock.now()),
      });
      return payload;
    } catch (cause) {
      throw new EarshotError('unauthenticated', 'origin', 'the token was refused', { cause });
    }
  }
}
