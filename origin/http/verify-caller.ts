// Authentication of the edge: a short-lived token of the audience `earshot-origin` for the region of this origin
// (shared/wire/origin-token.ts).
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { createVerifiedTokens } from '../../shared/caching/verified-tokens.ts';
import { ORIGIN_AUDIENCE } from '../../shared/domain/identity.ts';
import { isName } from '../../shared/domain/ids.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { MAX_ORIGIN_TOKEN_SECONDS, makeKeyId } from '../../shared/wire/origin-token.ts';
import { isSignedJwt } from '../../shared/wire/signed-jwt.ts';
import { CallerRefused, type RefusalReason } from './caller-refused.ts';

/** Checks an `Authorization` header. Rejects with a CallerRefused without a valid token of the edge. */
export interface VerifyCaller {
  (authorization: string | undefined): Promise<void>;
  /** Whether the header's token was verified before and has not expired, without a promise. */
  isKnown(authorization: string | undefined): boolean;
}

export interface CallerVerifierOptions {
  /** A token of any of them is accepted: while the secret is changed there are two. */
  readonly secrets: readonly string[];
  /** A token for another region is refused. */
  readonly region: string;
  readonly clock: Clock;
}

/** The edge uses a token for minutes, so few are in use at a time. */
const MAX_KNOWN_TOKENS = 1000;
/** A token of the edge has about 300 characters. */
const MAX_TOKEN_CHARACTERS = 1024;
/** `iat` and `nbf` may be this much ahead of this machine's clock. `exp` has no tolerance. */
const CLOCK_TOLERANCE_SECONDS = 30;

export function createCallerVerifier({ secrets, region, clock }: CallerVerifierOptions): VerifyCaller {
  const keys = Promise.all(secrets.map(async (secret) => [await makeKeyId(secret), Buffer.from(secret)] as const));
  const verified = createVerifiedTokens<object>(clock, MAX_KNOWN_TOKENS);

  async function verifyCaller(authorization: string | undefined): Promise<void> {
    if (authorization === undefined) throw new CallerRefused('missing');
    const token = tokenIn(authorization);
    if (token === undefined || !isSignedJwt(token)) throw new CallerRefused('malformed');
    if (verified.get(token) !== undefined) return;
    const claims = await readClaims(token, new Map(await keys).get(keyIdOf(token)));
    const untilMs = checkClaims(claims, region, clock);
    verified.set(token, claims, untilMs);
  }

  async function readClaims(token: string, key: Buffer | undefined): Promise<JWTPayload> {
    if (key === undefined) throw new CallerRefused('unknown_key');
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['HS256'],
        audience: ORIGIN_AUDIENCE,
        requiredClaims: ['exp', 'iat', 'region'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(clock.now()),
      });
      return payload;
    } catch (cause) {
      throw new CallerRefused(reasonOf(cause), { cause });
    }
  }

  const isKnown = (authorization: string | undefined): boolean =>
    authorization !== undefined && verified.get(tokenIn(authorization)) !== undefined;
  return Object.assign(verifyCaller, { isKnown });
}

const SCHEME = /^Bearer /i;
const SCHEME_LENGTH = 'Bearer '.length;

const tokenIn = (authorization: string): string | undefined =>
  authorization.length <= SCHEME_LENGTH + MAX_TOKEN_CHARACTERS && SCHEME.test(authorization)
    ? authorization.slice(SCHEME_LENGTH)
    : undefined;

function keyIdOf(token: string): string {
  try {
    return String(decodeProtectedHeader(token).kid);
  } catch (cause) {
    throw new CallerRefused('malformed', { cause });
  }
}

/** Throws a CallerRefused. Returns the end of the token in milliseconds. */
function checkClaims({ exp = 0, iat = 0, region }: JWTPayload, own: string, clock: Clock): number {
  const nowSeconds = clock.now() / 1000;
  if (region !== own) {
    // The name helps to find a REGIONS of the worker that names this origin otherwise.
    const named = typeof region === 'string' && isName(region) ? region : typeof region;
    throw new CallerRefused('region', { detail: `expected a token for region ${own}, got one for ${named}` });
  }
  if (exp <= nowSeconds) throw new CallerRefused('expired');
  if (iat > nowSeconds + CLOCK_TOLERANCE_SECONDS) throw new CallerRefused('not_yet_valid');
  if (exp - iat > MAX_ORIGIN_TOKEN_SECONDS) throw new CallerRefused('lifetime');
  return exp * 1000;
}

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'malformed';
  if (error.claim === 'aud') return 'audience';
  return error.claim === 'nbf' && error.reason === 'check_failed' ? 'not_yet_valid' : 'claim';
}
