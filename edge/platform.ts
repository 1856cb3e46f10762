// The runtime as the edge uses it, so that tests can replace it, and the counters that all code in one isolate shares.
import { type Clock, systemClock } from '../shared/runtime/clock.ts';
import { type Counters, createCounters } from '../shared/runtime/counters.ts';
import { type Random, systemRandom } from '../shared/runtime/random.ts';
import { consoleLog, type Log } from './log.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  /** Shared by the worker and by the region objects that run in the same isolate. */
  readonly counters: Counters;
  readonly log: Log;
  readonly fetch: Fetch;
}

/** The platform of the running isolate. */
export const systemPlatform: Platform = {
  clock: systemClock,
  random: systemRandom,
  counters: createCounters(),
  log: consoleLog,
  fetch: (url, init) => fetch(url, init),
};
