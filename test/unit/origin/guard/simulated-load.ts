// Random arrivals of reads in simulated time, through a bulkhead to a server, and their outcomes. Loads are fractions
// of the server's capacity. 2 % of the reads have 200 keys: these are a third of the keys, and determine the p99.
import { type Bulkhead, type BulkheadOptions, createBulkhead } from '../../../../origin/guard/bulkhead.ts';
import {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  createConcurrencyLimit,
} from '../../../../origin/guard/concurrency-limit.ts';
import { type Priority, ShedError } from '../../../../origin/guard/shed-error.ts';
import type { Random } from '../../../../shared/runtime/random.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';
import { createSimulatedClock } from './simulated-clock.ts';
import { createSimulatedServer, type Discipline, type SimulatedServer } from './simulated-server.ts';

export const KEYS_PER_MS = 15;
export const BASE_LATENCY_MS = 5;

interface SimulatedRead {
  readonly atMs: number;
  readonly weight: number;
  readonly priority: Priority;
  endMs: number;
  /** `none` while the read runs, `late` after its deadline. */
  outcome: 'none' | 'ok' | 'late' | ShedError['reason'];
}

export interface Figures {
  /** Keys per ms of the reads completed in time. */
  readonly goodput: number;
  /** Latency of the reads completed in time, from arrival to answer. */
  readonly p99Ms: number;
  readonly reads: number;
  /** The share of all reads that was not completed in time, for any reason. */
  readonly shed: number;
  readonly shedForeground: number;
  readonly shedBackground: number;
  /** The same share of the reads of 200 keys. */
  readonly shedHeavy: number;
  readonly maxQueued: number;
  readonly minLimit: number;
  readonly maxLimit: number;
}

export interface Simulation {
  readonly bulkhead: Bulkhead;
  readonly limit: ConcurrencyLimit;
  readonly server: SimulatedServer;
  now(): number;
  /** Offers this load for this time. */
  offer(load: number, forMs: number, options?: { background?: number; timeoutMs?: number }): Promise<Figures>;
  /** The outcome of the reads that arrived in this span. */
  figures(fromMs: number, toMs: number): Figures;
  /** The number of reads of this span completed in time, but slower than this many ms. */
  later(thanMs: number, fromMs: number, toMs: number): number;
}

export interface SimulationOptions {
  readonly seed?: number;
  readonly discipline?: Discipline;
  readonly weights?: (random: Random) => number;
  readonly limit?: Partial<ConcurrencyLimitOptions>;
  readonly bulkhead?: Partial<BulkheadOptions>;
}

export function simulate(options: SimulationOptions = {}): Simulation {
  const { seed = 1, discipline = 'merging', weights = mixed } = options;
  const random = seeded(seed);
  const clock = createSimulatedClock();
  const server = createSimulatedServer({
    clock,
    random,
    discipline,
    keysPerMs: KEYS_PER_MS,
    baseLatencyMs: BASE_LATENCY_MS,
  });
  const limit = createConcurrencyLimit({ clock, ...options.limit });
  const bulkhead = createBulkhead({ clock, limit, ...options.bulkhead });
  const reads: SimulatedRead[] = [];
  const states: { readonly atMs: number; readonly queued: number; readonly limit: number }[] = [];
  const meanWeight = mean(Array.from({ length: 10_000 }, () => weights(random)));

  function arrive(priority: Priority, timeoutMs: number): void {
    const weight = weights(random);
    const read: SimulatedRead = {
      atMs: clock.now(),
      weight,
      priority,
      endMs: Number.POSITIVE_INFINITY,
      outcome: 'none',
    };
    reads.push(read);
    const end = (outcome: SimulatedRead['outcome']): void => {
      read.endMs = clock.now();
      read.outcome = outcome;
    };
    void bulkhead
      .run({ priority, weight, timeoutMs }, (remainingMs) => untilDeadline(server.read(weight), remainingMs))
      .then(
        () => end('ok'),
        (error) => end(error instanceof ShedError ? error.reason : 'late'),
      );
    const { queued, limit } = bulkhead.state();
    states.push({ atMs: clock.now(), queued, limit });
  }

  /** Like a gRPC call: the read ends at its deadline, while the server may go on. */
  function untilDeadline(read: Promise<void>, remainingMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = clock.setTimeout(
        () => reject(new EarshotError('deadline_exceeded', 'table', 'the read took too long')),
        remainingMs,
      );
      void read.then(() => {
        cancel();
        resolve();
      });
    });
  }

  function figures(fromMs: number, toMs: number): Figures {
    const within = (ms: number): boolean => ms >= fromMs && ms < toMs;
    const arrived = reads.filter(({ atMs }) => within(atMs));
    const latencies = arrived.filter(isDone).map(({ atMs, endMs }) => endMs - atMs);
    const shedOf = (some: readonly SimulatedRead[]): number =>
      some.filter((read) => !isDone(read) && read.outcome !== 'none').length / Math.max(1, some.length);
    const seen = states.filter(({ atMs }) => within(atMs));
    return {
      goodput:
        reads.filter((read) => isDone(read) && within(read.endMs)).reduce((sum, { weight }) => sum + weight, 0) /
        (toMs - fromMs),
      p99Ms: latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
      reads: arrived.length,
      shed: shedOf(arrived),
      shedForeground: shedOf(arrived.filter(({ priority }) => priority === 'foreground')),
      shedBackground: shedOf(arrived.filter(({ priority }) => priority === 'background')),
      shedHeavy: shedOf(arrived.filter(({ weight }) => weight === 200)),
      maxQueued: seen.reduce((most, { queued }) => Math.max(most, queued), 0),
      minLimit: seen.reduce((least, { limit }) => Math.min(least, limit), Number.POSITIVE_INFINITY),
      maxLimit: seen.reduce((most, { limit }) => Math.max(most, limit), 0),
    };
  }

  return {
    bulkhead,
    limit,
    server,
    now: clock.now,
    figures,
    later: (thanMs, fromMs, toMs) =>
      reads.filter((read) => read.atMs >= fromMs && read.atMs < toMs && isDone(read) && read.endMs - read.atMs > thanMs)
        .length,
    offer: async (load, forMs, { background = 0, timeoutMs = 1000 } = {}) => {
      const fromMs = clock.now();
      const untilMs = fromMs + forMs;
      const arriveNext = (): void => {
        // Poisson: the gaps are exponential.
        const gapMs = (-Math.log(1 - random()) * meanWeight) / (load * KEYS_PER_MS);
        if (clock.now() + gapMs >= untilMs) return;
        clock.setTimeout(() => {
          arrive(random() < background ? 'background' : 'foreground', timeoutMs);
          arriveNext();
        }, gapMs);
      };
      arriveNext();
      await clock.runUntil(untilMs);
      return figures(fromMs, untilMs);
    },
  };
}

function mixed(random: Random): number {
  const u = random();
  if (u < 0.6) return 1;
  if (u < 0.9) return 2 + Math.floor(random() * 19);
  return u < 0.98 ? 50 : 200;
}

const isDone = ({ outcome }: SimulatedRead): boolean => outcome === 'ok';

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

/** mulberry32 */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
