// The claims of a verified token as an identity. Every claim that is used is checked for its type first, because a
// signed token can hold any JSON: a regular expression would turn a number or a list into text. Pure.
import type { JWTPayload } from 'jose';
import { isScope, ORIGIN_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import { ID_GRAMMAR, isName, isPublicId, type UserId } from '../../shared/domain/ids.ts';
import { invalidToken } from './access-error.ts';

export interface Identity {
  readonly user: UserId;
  readonly scopes: ReadonlySet<Scope>;
  /** The first scope of TOKEN_REQUIRED_SCOPES that the token lacks. It reads no list then. */
  readonly lacks: string | undefined;
  /**
   * Name of the calling service, from the configured claim. Undefined without the scope recs:read:any: listeners of one
   * app have the same client id, and must not share a quota.
   */
  readonly service: string | undefined;
  /** The claims of type text that experiments may target. Undefined: none. */
  readonly claims: Readonly<Record<string, string>> | undefined;
  /** Variants by surface that another system has assigned, from `earshot_arms`. Undefined: none. */
  readonly arms: Readonly<Record<string, string>> | undefined;
}

export interface ClaimRules {
  /** The claim with the user's id. */
  readonly userClaim: string;
  /** The scopes that a token needs to read any list. */
  readonly requiredScopes: readonly string[];
  readonly maxLifetimeSeconds: number;
  /** The claim with the name of a service. Undefined: callers have no service. */
  readonly serviceClaim: string | undefined;
  /** The claims that experiments may target. */
  readonly targetingClaims: readonly string[];
  readonly nowMs: number;
}

/** Maximum difference between the clocks of issuer and edge. */
export const CLOCK_TOLERANCE_SECONDS = 5;

/**
 * The claims in which identity providers put scopes: RFC 8693 (`scope`), Okta and Microsoft Entra (`scp`), Auth0
 * (`permissions`). Each is a text with spaces, or a list of texts.
 */
const SCOPE_CLAIMS = ['scope', 'scp', 'permissions'] as const;

/** The identity in `payload`. Throws `unauthenticated`. */
export function identityOf(payload: JWTPayload, rules: ClaimRules): Identity {
  for (const claim of ['exp', 'nbf', 'iat'] as const) expectClaim(claim, payload[claim], isMoment, 'a number');
  for (const claim of ['iss', 'jti'] as const) expectClaim(claim, payload[claim], isText, 'a text');
  expectClaim('aud', payload.aud, isTextOrTexts, 'a text or a list of texts');
  // A token for origins is invalid here, whatever other audience it names.
  if ([payload.aud].flat().includes(ORIGIN_AUDIENCE)) throw invalidToken('audience', { claim: 'aud' });
  checkLifetime(payload, rules);
  const texts = scopeTextsOf(payload);
  return {
    user: userOf(payload[rules.userClaim], rules.userClaim),
    scopes: new Set(texts.filter(isScope)),
    lacks: rules.requiredScopes.find((scope) => !grants(texts, scope)),
    service: texts.includes('recs:read:any') ? serviceOf(payload, rules.serviceClaim) : undefined,
    claims: targetingClaimsOf(payload, rules.targetingClaims),
    arms: armsOf(payload.earshot_arms),
  };
}

/** The token's own start is its issue. A token without `iat` may live that long from now on. */
function checkLifetime({ iat, exp = Number.NaN }: JWTPayload, { maxLifetimeSeconds, nowMs }: ClaimRules): void {
  const nowSeconds = nowMs / 1000;
  if (iat !== undefined && iat > nowSeconds + CLOCK_TOLERANCE_SECONDS)
    throw invalidToken('not_yet_valid', { claim: 'iat', text: 'the token is not valid yet' });
  if (exp - (iat ?? nowSeconds) <= maxLifetimeSeconds + CLOCK_TOLERANCE_SECONDS) return;
  throw invalidToken('lifetime', { claim: 'exp', text: `expected exp at most ${maxLifetimeSeconds} s after iat` });
}

/** The right to read any list contains that to read one's own. */
const grants = (texts: readonly string[], scope: string): boolean =>
  texts.includes(scope) || (scope === 'recs:read' && texts.includes('recs:read:any'));

function userOf(user: unknown, claim: string): UserId {
  if (user === undefined) throw invalidToken('claim_missing', { claim });
  expectClaim(claim, user, isText, 'a text');
  if (isPublicId(user)) return user;
  throw invalidToken('user_id', { claim, text: `expected the user of the token to be ${ID_GRAMMAR}` });
}

/** A name outside the grammar of ids is no service. */
function serviceOf(payload: JWTPayload, claim: string | undefined): string | undefined {
  if (claim === undefined) return undefined;
  const name = payload[claim];
  expectClaim(claim, name, isText, 'a text');
  return isPublicId(name) ? name : undefined;
}

/** Longer values are never targeted, and would only be remembered. */
const MAX_CLAIM_CHARACTERS = 128;

/** A claim of another type is no reason to refuse a token: it is not targeted. */
function targetingClaimsOf(payload: JWTPayload, names: readonly string[]): Identity['claims'] {
  const found = names.flatMap((name) => {
    const value = Object.hasOwn(payload, name) ? payload[name] : undefined;
    return isText(value) && value.length <= MAX_CLAIM_CHARACTERS ? [[name, value] as const] : [];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

const MAX_OUTSIDE_ARMS = 32;

/** An object with names of variants by surface. Any other value is no assignment. */
function armsOf(claim: unknown): Identity['arms'] {
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim)) return undefined;
  const arms = Object.entries(claim).filter(([, arm]) => isText(arm) && isName(arm));
  return arms.length === 0 || arms.length > MAX_OUTSIDE_ARMS ? undefined : Object.fromEntries(arms);
}

/** The claims that say something of `user`: those of the user's own token. */
export const claimsFor = (
  user: UserId,
  { user: own, claims, arms }: Pick<Identity, 'user' | 'claims' | 'arms'>,
): Pick<Identity, 'claims' | 'arms'> => (user === own ? { claims, arms } : { claims: undefined, arms: undefined });

function scopeTextsOf(payload: JWTPayload): readonly string[] {
  return SCOPE_CLAIMS.flatMap((claim) => {
    const value = payload[claim];
    expectClaim(claim, value, isTextOrTexts, 'a text or a list of texts');
    return ([value ?? []].flat() as unknown as readonly string[]).flatMap((text) => text.split(' '));
  });
}

/** Refuses a claim that is present and of another type than `what`. */
function expectClaim(claim: string, value: unknown, isRight: (value: unknown) => boolean, what: string): void {
  if (value === undefined || isRight(value)) return;
  throw invalidToken('claim_type', { claim, text: `expected the claim ${nameable(claim)} to be ${what}` });
}

/** A claim's name in a quoted string of a header: a configured name may hold a quotation mark. */
const nameable = (claim: string): string => claim.replaceAll(/["\\]|[^ -~]/g, '?');

const isMoment = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isTextOrTexts = (value: unknown): boolean => isText(value) || (Array.isArray(value) && value.every(isText));
