// The bearer token in `Authorization` (RFC 6750, section 2.1), as the text of a signed JWT in its one canonical form.
// Two texts of one token would be two entries of the memory of verified tokens. Pure, and linear in the header's
// length.

/** `Bearer` in any case, and exactly one space. */
const SCHEME = 'bearer ';
export const MAX_TOKEN_CHARACTERS = 8_192;

/** Three parts of base64url (RFC 7515, section 7.1). No part can match a full stop, so the pattern never backtracks. */
const SIGNED_JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * The token in `authorization`, not checked for its form; undefined for another scheme and for a token that is too
 * long.
 */
export function tokenIn(authorization: string | undefined): string | undefined {
  if (authorization === undefined || isTooLong(authorization)) return undefined;
  const scheme = authorization.slice(0, SCHEME.length);
  return scheme === 'Bearer ' || scheme.toLowerCase() === SCHEME ? authorization.slice(SCHEME.length) : undefined;
}

export const isTooLong = (authorization: string): boolean =>
  authorization.length > SCHEME.length + MAX_TOKEN_CHARACTERS;

export const isSignedJwt = (token: string): boolean => SIGNED_JWT.test(token) && hasCanonicalEnd(token);

/** The last characters of base64url whose unused bits are 0, by the number of characters in the last group of 4. */
const CANONICAL_ENDS: readonly (string | undefined)[] = [undefined, '', 'AQgw', 'AEIMQUYcgkosw048'];

/**
 * Whether the unused bits of the signature are 0 (RFC 4648, section 3.5). Decoders ignore them, so several texts would
 * be one signature. The other parts are signed as text.
 */
function hasCanonicalEnd(token: string): boolean {
  const length = token.length - 1 - token.lastIndexOf('.');
  return CANONICAL_ENDS[length % 4]?.includes(token.slice(-1)) ?? true;
}
