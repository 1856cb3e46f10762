// The header of a token (RFC 7515, section 4). The worker understands no extension of it, and accepts no token of
// another kind that a provider signs with the same key (RFC 8725, section 3.11).
import { decodeProtectedHeader } from 'jose';
import { invalidToken } from './access-error.ts';

/** An access token has no `typ`, or `JWT`, or `at+jwt` (RFC 9068), which Okta prefixes with its own name. */
const ACCESS_TOKEN = /^(?:application\/)?(?:jwt|(?:[a-z-]{1,32}-)?at\+jwt)$/i;

/** Throws `unauthenticated`. */
export function checkHeader(token: string): void {
  const { typ, crit, b64, enc, zip } = readHeader(token);
  for (const [name, value] of Object.entries({ crit, b64, enc, zip })) {
    if (value !== undefined) throw invalidToken('header', { text: `expected a token without the header ${name}` });
  }
  if (typ === undefined || (typeof typ === 'string' && ACCESS_TOKEN.test(typ))) return;
  throw invalidToken('header', { text: 'expected typ to be JWT or at+jwt' });
}

function readHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    return { ...decodeProtectedHeader(token) };
  } catch {
    throw invalidToken('malformed');
  }
}
