// The bearer token in `Authorization` (RFC 6750, section 2.1). shared/wire/signed-jwt.ts checks its form. Pure.

/** `Bearer` in any case, and exactly one space. */
const SCHEME = 'bearer ';
export const MAX_TOKEN_CHARACTERS = 8_192;

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
