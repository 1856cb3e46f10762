// The keys that verify listeners' tokens, with their algorithms. The mode pins the algorithms; the token never chooses
// them.
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { TokenKeys } from '../config.ts';
import { describeError, type Log } from '../log.ts';
import type { Fetch } from '../platform.ts';

export interface VerificationKeys {
  readonly algorithms: string[];
  /**
   * Finds the key of one token. `waitUntil` holds a background refresh. Throws `unavailable` if the keys cannot be
   * fetched.
   */
  resolver(waitUntil: (work: Promise<unknown>) => void): JWTVerifyGetKey;
}

/** Interval between background fetches of the provider's keys: a withdrawn key stops working after it. */
const REFRESH_AFTER_MS = 600_000;
/** Maximum age of cached keys while the provider cannot be reached. */
const KEEP_MS = 86_400_000;
const FETCH_TIMEOUT_MS = 2_000;

interface VerificationKeysOptions {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

export function createVerificationKeys(
  keys: TokenKeys,
  { fetch, clock, counters, log }: VerificationKeysOptions,
): VerificationKeys {
  if (keys.mode === 'secret') {
    const key = encodeUtf8(keys.secret);
    return { algorithms: ['HS256'], resolver: () => () => key };
  }
  // In workers jose never lets a request wait for another's fetch (its issue 355), so one set can serve all requests of
  // the isolate.
  const remote = createRemoteJWKSet(new URL(keys.url), {
    [customFetch]: fetch,
    timeoutDuration: FETCH_TIMEOUT_MS,
    cacheMaxAge: KEEP_MS,
  });
  let refreshAtMs: number | undefined;

  function recordFailure(error: unknown): void {
    counters.add('edge_token_key_failures_total');
    log.warn('token_keys_failed', describeError(error));
  }

  return {
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    resolver: (waitUntil) => async (header, token) => {
      if (refreshAtMs !== undefined && clock.now() >= refreshAtMs) {
        refreshAtMs = clock.now() + REFRESH_AFTER_MS;
        waitUntil(remote.reload().catch(recordFailure));
      }
      try {
        const key = await remote(header, token);
        refreshAtMs ??= clock.now() + REFRESH_AFTER_MS;
        return key;
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        recordFailure(error);
        const message = 'the keys that verify tokens cannot be fetched';
        throw new EarshotError('unavailable', 'edge', message, { cause: error });
      }
    },
  };
}

/** Whether the fetch of keys failed, rather than the token. */
const isProviderTrouble = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === errors.JOSEError.code;
