// Verifies the bearer token into a user and scopes. Verified tokens are remembered for a while, so a listener's next
// read costs no signature check.
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { createVerifiedTokens } from '../../shared/caching/verified-tokens.ts';
import { isScope, ORIGIN_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import { PUBLIC_ID_PATTERN } from '../../shared/domain/ids.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { invalidToken, missingToken } from './access-error.ts';
import type { VerificationKeys } from './token-keys.ts';

export interface Identity {
  readonly user: string;
  readonly scopes: ReadonlySet<Scope>;
}

export interface IdentityVerifier {
  /** The identity of a recently verified `authorization`, or undefined. */
  recall(authorization: string | undefined): Identity | undefined;
  /** The identity in `authorization`. Throws `unauthenticated` for a missing or invalid token. */
  verify(authorization: string | undefined, waitUntil: (work: Promise<unknown>) => void): Promise<Identity>;
}

interface IdentityOptions {
  readonly keys: VerificationKeys;
  readonly audience: string;
  readonly issuer: string | undefined;
  readonly clock: Clock;
  readonly counters: Counters;
}

const MAX_REMEMBERED_TOKENS = 2_000;
/**
 * A remembered token is verified again after this long. Together with the time that keys are cached (token-keys.ts), a
 * withdrawn key works for at most 20 minutes.
 */
const REMEMBER_MS = 600_000;
const MAX_TOKEN_CHARACTERS = 8_192;
/** Maximum difference between the clocks of issuer and edge. */
const CLOCK_TOLERANCE_SECONDS = 5;

export function createIdentityVerifier({ keys, audience, issuer, clock, counters }: IdentityOptions): IdentityVerifier {
  const verified = createVerifiedTokens<Identity>(clock, MAX_REMEMBERED_TOKENS);

  async function verifyToken(
    authorization: string,
    token: string,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<Identity> {
    if (token.length > MAX_TOKEN_CHARACTERS) throw invalidToken('the token is too long');
    const payload = await readClaims(token, waitUntil);
    const untilMs = Math.min((payload.exp ?? 0) * 1000, clock.now() + REMEMBER_MS);
    const identity = identityOf(payload);
    verified.set(authorization, identity, untilMs);
    return identity;
  }

  async function readClaims(token: string, waitUntil: (work: Promise<unknown>) => void): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, keys.resolver(waitUntil), {
        algorithms: keys.algorithms,
        audience,
        ...(issuer === undefined ? {} : { issuer }),
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(clock.now()),
      });
      return payload;
    } catch (error) {
      if (error instanceof EarshotError) throw error;
      throw invalidToken(
        error instanceof errors.JWTExpired ? 'the token has expired' : 'the token is not valid',
        error,
      );
    }
  }

  return {
    recall: verified.get,
    verify: async (authorization, waitUntil) => {
      try {
        if (authorization === undefined) throw missingToken();
        const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
        if (token === undefined) throw invalidToken('the token is not valid');
        return verified.get(authorization) ?? (await verifyToken(authorization, token, waitUntil));
      } catch (error) {
        if (error instanceof EarshotError && error.code === 'unauthenticated')
          counters.add('edge_rejected_tokens_total');
        throw error;
      }
    },
  };
}

function identityOf({ sub, aud, scope }: JWTPayload): Identity {
  // A token for origins is invalid here, whatever other audience it names.
  if ([aud].flat().includes(ORIGIN_AUDIENCE)) throw invalidToken('the token is not valid');
  if (sub === undefined || !PUBLIC_ID_PATTERN.test(sub)) throw invalidToken('the token is not valid');
  const scopes = typeof scope === 'string' ? scope.split(' ').filter(isScope) : [];
  return { user: sub, scopes: new Set(scopes) };
}
