// A user in logs: 16 characters of HMAC-SHA-256 (RFC 2104) under HASH_KEY. The key alone tells which user it is. The
// commands make the same reference (ops/cli/user-ref.ts).
import { base64url } from 'jose';

/** Undefined without a key. */
export type UserRef = (user: string) => Promise<string | undefined>;

const REF_BYTES = 12;

export function createUserRef(hashKey: string | undefined): UserRef {
  if (hashKey === undefined) return async () => undefined;
  let key: Promise<CryptoKey> | undefined;
  const encoder = new TextEncoder();
  return async (user) => {
    key ??= crypto.subtle.importKey('raw', encoder.encode(hashKey), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const signature = new Uint8Array(await crypto.subtle.sign('HMAC', await key, encoder.encode(user)));
    return base64url.encode(signature.subarray(0, REF_BYTES));
  };
}
