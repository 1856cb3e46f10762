// A signed JWT in its one canonical text, as the worker and origins accept it. Two texts of one token would be two
// entries of a memory of verified tokens. Pure, and linear in the text's length.

/** Three parts of base64url (RFC 7515, section 7.1). No part can match a full stop, so the pattern never backtracks. */
const SIGNED_JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

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
