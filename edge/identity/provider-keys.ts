// The published keys of the identity provider (RFC 7517): fetched once for all waiting requests of the isolate, kept
// while the provider fails, and never fetched more often than the provider can bear.
//
// States: none -> held -> held and due (refreshed behind requests) -> none, after KEEP_MS without an answer. After a
// failure no request fetches until the back-off is over: the provider's Retry-After, or a growing pause.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { decodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { readRetryAfterMs } from '../../shared/runtime/retry-after.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { describeError, type Log } from '../log.ts';
import type { Fetch } from '../platform.ts';
import { readBody } from '../request/read-body.ts';
import { withTimeout } from '../request/with-timeout.ts';

type FindKey = (...of: Parameters<JWTVerifyGetKey>) => ReturnType<JWTVerifyGetKey>;

export interface ProviderKeys {
  /**
   * Finds the key of one token. `waitUntil` holds a fetch that this request starts. Throws `unavailable` if no keys are
   * held, and JWKSNoMatchingKey if the held ones do not fit.
   */
  finder(waitUntil: (work: Promise<unknown>) => void): FindKey;
}

export interface ProviderKeysOptions {
  readonly url: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** Interval between background fetches: a withdrawn key stops working after it. */
export const REFRESH_AFTER_MS = 600_000;
/** Maximum age of held keys while the provider cannot be reached. */
export const KEEP_MS = 86_400_000;
export const FETCH_TIMEOUT_MS = 2_000;
/** A request waits a little longer than the fetch may last, so that it sees the outcome. */
const WAIT_MS = FETCH_TIMEOUT_MS + 100;
/** An unknown key id causes a fetch only if the last one is older: the provider may have a new key. */
export const UNKNOWN_ID_WINDOW_MS = 30_000;
/** Pause after the first failure in a row. Each further one is twice as long, up to `maxMs`. */
export const BACKOFF = { firstMs: 1_000, maxMs: 60_000, jitter: 0.1 };
/** Upper bound of a Retry-After: a provider's mistake must not end logins for a day. */
export const MAX_RETRY_AFTER_MS = 300_000;
/** A fetch older than this has lost the request that carried it. */
const FLIGHT_AGE_TIMEOUT_MS = 2 * FETCH_TIMEOUT_MS;
/** About 1 000 keys. */
const MAX_DOCUMENT_BYTES = 1_048_576;

interface Flight {
  readonly done: Promise<void>;
  readonly startedAtMs: number;
}

class FetchFailed extends Error {
  override readonly name = 'FetchFailed';
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

export function createProviderKeys(options: ProviderKeysOptions): ProviderKeys {
  const { clock, random, counters, log } = options;
  let held: { readonly find: JWTVerifyGetKey; readonly fetchedAtMs: number } | undefined;
  let flight: Flight | undefined;
  let lastStartMs = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let lastFailure: unknown;
  let retryAtMs = Number.NEGATIVE_INFINITY;

  const ageMs = (): number => (held === undefined ? Number.POSITIVE_INFINITY : clock.now() - held.fetchedAtMs);
  const isBackingOff = (): boolean => clock.now() < retryAtMs;

  /** Never rejects. */
  async function fetchKeys(): Promise<void> {
    try {
      const keys = await withTimeout(clock, FETCH_TIMEOUT_MS, (signal) => requestKeys(options, signal));
      held = { find: createLocalJWKSet(keys), fetchedAtMs: clock.now() };
      failures = 0;
      retryAtMs = Number.NEGATIVE_INFINITY;
    } catch (error) {
      lastFailure = error;
      const retryAfterMs = error instanceof FetchFailed ? error.retryAfterMs : undefined;
      const ownMs = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** failures++);
      const pauseMs = Math.max(BACKOFF.firstMs, Math.min(MAX_RETRY_AFTER_MS, retryAfterMs ?? ownMs));
      retryAtMs = clock.now() + Math.round(pauseMs * (1 + BACKOFF.jitter * random()));
      counters.add('edge_token_key_failures_total');
      log.warn('token_keys_failed', { ...describeError(error), retryInMs: retryAtMs - clock.now() });
    }
  }

  /** Joins the fetch in flight, or starts one. Undefined during a back-off. */
  function joinFetch(waitUntil: (work: Promise<unknown>) => void): Flight | undefined {
    if (flight !== undefined && clock.now() - flight.startedAtMs < FLIGHT_AGE_TIMEOUT_MS) return flight;
    if (isBackingOff()) return undefined;
    lastStartMs = clock.now();
    const done = fetchKeys().finally(() => {
      if (flight?.done === done) flight = undefined;
    });
    flight = { done, startedAtMs: lastStartMs };
    waitUntil(done);
    return flight;
  }

  /** Each request waits on a timer of its own: the request that carries the fetch may end. */
  const waitFor = (fetching: Flight | undefined): Promise<void> =>
    fetching === undefined
      ? Promise.resolve()
      : withTimeout(clock, WAIT_MS, () => fetching.done).catch(() => undefined);

  async function requireKeys(waitUntil: (work: Promise<unknown>) => void): Promise<JWTVerifyGetKey> {
    if (ageMs() >= KEEP_MS) await waitFor(joinFetch(waitUntil));
    else if (ageMs() >= REFRESH_AFTER_MS) joinFetch(waitUntil);
    if (held !== undefined && ageMs() < KEEP_MS) return held.find;
    const seconds = Math.max(1, Math.ceil((retryAtMs - clock.now()) / 1000));
    throw new EarshotError('unavailable', 'edge', 'the keys that verify tokens cannot be fetched', {
      cause: lastFailure,
      headers: { 'Retry-After': String(Number.isFinite(seconds) ? seconds : 1) },
    });
  }

  return {
    finder: (waitUntil) => async (header, token) => {
      const find = await requireKeys(waitUntil);
      try {
        return await find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const mayFetch = flight !== undefined || clock.now() - lastStartMs >= UNKNOWN_ID_WINDOW_MS;
        if (mayFetch) await waitFor(joinFetch(waitUntil));
        if (held === undefined || held.find === find) throw error;
        return held.find(header, token);
      }
    },
  };
}

async function requestKeys({ url, fetch, clock }: ProviderKeysOptions, signal: AbortSignal): Promise<JSONWebKeySet> {
  const headers = { accept: 'application/json, application/jwk-set+json' };
  const response = await fetch(url, { method: 'GET', headers, redirect: 'manual', signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    const retryAfterMs = readRetryAfterMs(response.headers.get('retry-after'), clock.now());
    throw new FetchFailed(`expected the provider's keys with status 200, got ${response.status}`, retryAfterMs);
  }
  return JSON.parse(decodeUtf8(await readBody(response, MAX_DOCUMENT_BYTES))) as JSONWebKeySet;
}
