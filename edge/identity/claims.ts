// The claims of a verified token as an identity. Every claim that is used is checked for its type first, because a
// signed token can hold any JSON: a regular expression would turn a number or a list into text. Pure.
import type { JWTPayload } from 'jose';
import { isScope, ORIGIN_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import { ID_GRAMMAR, isPublicId, type UserId } from '../../shared/domain/ids.ts';
import { invalidToken } from './access-error.ts';

export interface Identity {
  readonly user: UserId;
  readonly scopes: ReadonlySet<Scope>;
  /** Name of the calling service, from the configured claim. Undefined for a listener. */
  readonly service?: string | undefined;
}

/**
 * The claims in which identity providers put scopes: RFC 8693 (`scope`), Okta and Microsoft Entra (`scp`), Auth0
 * (`permissions`). Each is a text with spaces, or a list of texts.
 */
const SCOPE_CLAIMS = ['scope', 'scp', 'permissions'] as const;

/** The identity in `payload`, whose user is in the claim `userClaim`. Throws `unauthenticated`. */
export function identityOf(payload: JWTPayload, userClaim: string): Identity {
  for (const claim of ['exp', 'nbf', 'iat'] as const) expectClaim(claim, payload[claim], isMoment, 'a number');
  expectClaim('iss', payload.iss, isText, 'a text');
  expectClaim('aud', payload.aud, isTextOrTexts, 'a text or a list of texts');
  // A token for origins is invalid here, whatever other audience it names.
  if ([payload.aud].flat().includes(ORIGIN_AUDIENCE)) throw invalidToken('audience', { claim: 'aud' });
  return { user: userOf(payload[userClaim], userClaim), scopes: scopesOf(payload) };
}

function userOf(user: unknown, claim: string): UserId {
  if (user === undefined) throw invalidToken('claim_missing', { claim });
  expectClaim(claim, user, isText, 'a text');
  if (isPublicId(user)) return user;
  throw invalidToken('user_id', { claim, text: `expected the user of the token to be ${ID_GRAMMAR}` });
}

function scopesOf(payload: JWTPayload): ReadonlySet<Scope> {
  const scopes = new Set<Scope>();
  for (const claim of SCOPE_CLAIMS) {
    const value = payload[claim];
    expectClaim(claim, value, isTextOrTexts, 'a text or a list of texts');
    const texts = [value ?? []].flat() as unknown as readonly string[];
    for (const scope of texts.flatMap((text) => text.split(' ')).filter(isScope)) scopes.add(scope);
  }
  return scopes;
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
