// The keys that listeners' tokens are checked with, and the algorithms that go with them: pinned by the mode, never taken from the token.
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { TokenKeys } from '../config.ts';
import { describeError, type Log } from '../log.ts';
import type { Fetch } from '../upstream/origin-client.ts';

export interface VerificationKeys {
  readonly algorithms: string[];
  /** Finds the key of one token; `waitUntil` holds the refresh that may run beside it. Throws `unavailable` when keys cannot be had. */
  resolver(waitUntil: (work: Promise<unknown>) => void): JWTVerifyGetKey;
}

/** A provider's keys are fetched again in the background after this long, so that a withdrawn key stops working. */
const REFRESH_AFTER_MS = 600_000;
/** How long known keys are used while the provider cannot be reached. */
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
  // In workers jose lets no request wait for another's fetch (its issue 355), so one set can serve all requests of the isolate.
  const remote = createRemoteJWKSet(new URL(keys.url), {
    [customFetch]: fetch,
    timeoutDuration: FETCH_TIMEOUT_MS,
    cacheMaxAge: KEEP_MS,
  });
  let refreshAtMs: number | undefined;

  function noteFailure(error: unknown): void {
    counters.add('edge_token_key_failures_total');
    log.warn('token_keys_failed', describeError(error));
  }

  return {
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    resolver: (waitUntil) => async (header, token) => {
      if (refreshAtMs !== undefined && clock.now() >= refreshAtMs) {
        refreshAtMs = clock.now() + REFRESH_AFTER_MS;
        waitUntil(remote.reload().catch(noteFailure));
      }
      try {
        const key = await remote(header, token);
        refreshAtMs ??= clock.now() + REFRESH_AFTER_MS;
        return key;
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        noteFailure(error);
        const message = 'the keys that tokens are checked with cannot be had';
        throw new EarshotError('unavailable', 'edge', message, { cause: error });
      }
    },
  };
}

/** Whether the keys could not be fetched, rather than the token being at fault. */
const isProviderTrouble = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === errors.JOSEError.code;
