// Keyed hashes of exposures. Each purpose has a key of its own, derived from the hash key. Clients see the references
// in tokens, and must not recognise the references of log lines and erasures in them; no reference is a signature.
import { base64url } from 'jose';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { UserRef } from '../reads/user-ref.ts';

const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' };
const REF_BYTES = 12;

/** The first `bytes` of HMAC-SHA-256 (RFC 2104) under the key of `purpose`. */
export function createKeyedHash(
  hashKey: string,
  purpose: 'signatures' | 'users',
  bytes: number,
): (text: string) => Promise<string> {
  const importKey = (raw: Uint8Array<ArrayBuffer>) => crypto.subtle.importKey('raw', raw, ALGORITHM, false, ['sign']);
  const derive = async (): Promise<CryptoKey> => {
    const root = await importKey(encodeUtf8(hashKey));
    const label = encodeUtf8(`earshot exposures v1 ${purpose}`);
    return importKey(new Uint8Array(await crypto.subtle.sign('HMAC', root, label)));
  };
  let key: Promise<CryptoKey> | undefined;
  return async (text) => {
    key ??= derive();
    const hashed = new Uint8Array(await crypto.subtle.sign('HMAC', await key, encodeUtf8(text)));
    return base64url.encode(hashed.subarray(0, bytes));
  };
}

/** The reference of a user in exposures: 16 characters. */
export const createExposureRef = (hashKey: string): UserRef => createKeyedHash(hashKey, 'users', REF_BYTES);
