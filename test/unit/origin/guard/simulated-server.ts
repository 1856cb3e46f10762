// A server that reads keys in simulated time: a processor with a fixed rate of keys, and a table whose latency does not
// depend on the number of keys. It has three ways to share the processor, because the real reads are none of them
// exactly.
import type { Clock } from '../../../../shared/runtime/clock.ts';
import type { Random } from '../../../../shared/runtime/random.ts';

/**
 * `merging` is the most realistic: keys of all reads leave in calls of up to 100 keys, as in
 * origin/bigtable/reads/read-queue.ts.
 */
export type Discipline = 'fifo' | 'sharing' | 'merging';

export interface SimulatedServer {
  read(weight: number): Promise<void>;
  setBaseLatencyMs(ms: number): void;
}

export interface ServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly discipline: Discipline;
  readonly keysPerMs: number;
  readonly baseLatencyMs: number;
}

export function createSimulatedServer(options: ServerOptions): SimulatedServer {
  const { clock, random, discipline, keysPerMs } = options;
  let { baseLatencyMs } = options;
  /** Mostly near the base, rarely twice the base. */
  const latencyMs = (): number => baseLatencyMs * (0.9 + Math.min(1.5, -0.15 * Math.log(1 - random())));
  const processors = { fifo: inTurn, sharing: shared, merging: inTurn };
  const process = processors[discipline](clock, keysPerMs);
  const one = (weight: number): Promise<void> =>
    new Promise((resolve) => process(weight, () => void clock.setTimeout(resolve, latencyMs())));
  return {
    read: discipline === 'merging' ? merge(one) : one,
    setBaseLatencyMs: (ms) => {
      baseLatencyMs = ms;
    },
  };
}

type Process = (weight: number, done: () => void) => void;

/** One read after the other. */
function inTurn(clock: Clock, keysPerMs: number): Process {
  let freeAtMs = 0;
  return (weight, done) => {
    freeAtMs = Math.max(clock.now(), freeAtMs) + weight / keysPerMs;
    clock.setTimeout(done, freeAtMs - clock.now());
  };
}

/** All reads concurrently, at equal speed. */
function shared(clock: Clock, keysPerMs: number): Process {
  const jobs = new Set<{ left: number; done: () => void }>();
  let lastMs = 0;
  let cancel = (): void => {};
  const work = (): void => {
    const each = ((clock.now() - lastMs) * keysPerMs) / Math.max(1, jobs.size);
    lastMs = clock.now();
    for (const job of jobs) job.left -= each;
    for (const job of jobs)
      if (job.left <= 1e-6) {
        jobs.delete(job);
        job.done();
      }
    cancel();
    const least = Math.min(...[...jobs].map(({ left }) => left));
    if (jobs.size > 0) cancel = clock.setTimeout(work, (least * jobs.size) / keysPerMs);
  };
  return (left, done) => {
    work();
    jobs.add({ left, done });
    work();
  };
}

const MAX_KEYS_PER_CALL = 100;
const KEYS_WORTH_A_CALL = 16;
const CALLS = 2;
const MAX_CALLS = 8;

/** A read ends with the last call that has one of its keys. */
function merge(send: (keys: number) => Promise<void>): (weight: number) => Promise<void> {
  interface Part {
    keys: number;
    readonly finish: (keys: number) => void;
  }
  const waiting: Part[] = [];
  let waitingKeys = 0;
  let calls = 0;

  const leave = (): void => {
    while (waitingKeys > 0 && (calls < CALLS || (calls < MAX_CALLS && waitingKeys >= KEYS_WORTH_A_CALL))) {
      const taken: [Part, number][] = [];
      let room = MAX_KEYS_PER_CALL;
      for (let part = waiting[0]; part !== undefined && room > 0; part = waiting[0]) {
        const keys = Math.min(room, part.keys);
        part.keys -= keys;
        room -= keys;
        taken.push([part, keys]);
        if (part.keys === 0) waiting.shift();
      }
      waitingKeys -= MAX_KEYS_PER_CALL - room;
      calls++;
      void send(MAX_KEYS_PER_CALL - room).then(() => {
        calls--;
        for (const [part, keys] of taken) part.finish(keys);
        leave();
      });
    }
  };
  return (weight) =>
    new Promise((resolve) => {
      let left = weight;
      const finish = (keys: number): void => {
        left -= keys;
        if (left === 0) resolve();
      };
      waiting.push({ keys: weight, finish });
      waitingKeys += weight;
      leave();
    });
}
