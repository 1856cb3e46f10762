// Verification of a token's signature and registered claims, with the keys of one mode. The mode pins the algorithms;
// the token never chooses them.
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { TokenKeys } from '../config.ts';
import { createProviderKeys, type ProviderKeysOptions } from './provider-keys.ts';

export interface VerificationKeys {
  /**
   * The claims of `token`. `waitUntil` holds a fetch of keys. Throws an error of jose for a token that is not valid,
   * and `unavailable` if the keys cannot be fetched.
   */
  verify(
    token: string,
    options: Omit<JWTVerifyOptions, 'algorithms'>,
    waitUntil: (work: Promise<unknown>) => void,
  ): Promise<JWTPayload>;
}

const SECRET_ALGORITHMS = ['HS256'];
const PROVIDER_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];

export function createVerificationKeys(
  keys: TokenKeys,
  surroundings: Omit<ProviderKeysOptions, 'url'>,
): VerificationKeys {
  if (keys.mode === 'secret') return createSecretKeys(keys.secrets);
  const provider = createProviderKeys({ ...surroundings, url: keys.url });
  return {
    verify: async (token, options, waitUntil) => {
      const verifying = { ...options, algorithms: PROVIDER_ALGORITHMS };
      return (await jwtVerify(token, provider.finder(waitUntil), verifying)).payload;
    },
  };
}

/** Accepts a token of any of `secrets`, the current one first: during a change two are in use. */
function createSecretKeys(secrets: readonly string[]): VerificationKeys {
  const keys = secrets.map(encodeUtf8);
  return {
    verify: async (token, options) => {
      let failure: unknown;
      for (const key of keys) {
        try {
          return (await jwtVerify(token, key, { ...options, algorithms: SECRET_ALGORITHMS })).payload;
        } catch (error) {
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
          failure = error;
        }
      }
      throw failure;
    },
  };
}
