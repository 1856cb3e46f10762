// The runtime as the edge uses it, so that tests can replace it, and the counters that all code in one isolate shares.
import { type ByteAccount, createByteAccount } from '../shared/runtime/byte-account.ts';
import { type Clock, systemClock } from '../shared/runtime/clock.ts';
import { type Counters, createCounters } from '../shared/runtime/counters.ts';
import { type Random, systemRandom } from '../shared/runtime/random.ts';
import { type Builds, createBuilds } from './builds.ts';
import { consoleLog, type Log } from './log.ts';
import { createUnreported, type Unreported } from './report/unreported.ts';
import type { PlatformTracing } from './request/trace.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  /** Shared by the worker and by the region objects that run in the same isolate. */
  readonly counters: Counters;
  /** Shared as the counters are: large answers until they are sent, and loads until they are answered. */
  readonly inFlight: ByteAccount;
  readonly log: Log;
  /** Shared as the counters are. */
  readonly unreported: Unreported;
  /** Shared as the counters are. */
  readonly builds: Builds;
  readonly fetch: Fetch;
  /** Default: nothing is recorded. */
  readonly tracing?: PlatformTracing | undefined;
}

/** An isolate has 128 MB. ISOLATE_CACHE_BYTES takes a quarter by default, and loads are copied once more. */
export const IN_FLIGHT_BYTES = 25_165_824;
/** Longer than any request reads or sends. */
const IN_FLIGHT_AGE_MS = 90_000;

/** The platform of the running isolate. */
const counters = createCounters();

export const systemPlatform: Platform = {
  clock: systemClock,
  random: systemRandom,
  counters,
  unreported: createUnreported(counters),
  builds: createBuilds(counters),
  inFlight: createByteAccount({ clock: systemClock, maxBytes: IN_FLIGHT_BYTES, maxAgeMs: IN_FLIGHT_AGE_MS }),
  log: consoleLog,
  fetch: (url, init) => fetch(url, init),
};
