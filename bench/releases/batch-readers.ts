// Backend services that read the lists of all users again and again, in batches, and tell the release of each list.
import { Agent, request } from 'undici';
import { parseGeneration } from '../../shared/domain/generation.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface BatchReadersOptions {
  readonly edgeUrl: string;
  /** With the scope recs:read:any. */
  readonly token: string;
  readonly users: readonly string[];
  readonly batchesPerSecond: number;
  /** Default: 100. */
  readonly readsPerBatch?: number;
  /** Called with each batch that is answered. */
  readonly onBatch?: (batch: AnsweredBatch) => void;
  readonly clock: Clock;
}

export interface AnsweredBatch {
  readonly beganAtMs: number;
  /** Generations of the lists in it. */
  readonly generations: readonly number[];
}

/** The reads since the last `reset`. */
export interface ReadsSeen {
  readonly reads: number;
  /** Batches without an answer, and reads with a status of 500 or above. */
  readonly failed: number;
  /** Users by the generation of a list that they got. */
  readonly usersOf: ReadonlyMap<number, ReadonlySet<string>>;
  /** Users that got no list of their own. */
  readonly without: ReadonlySet<string>;
}

export interface BatchReaders {
  seen(): ReadsSeen;
  /** No batches until `resume`. Resolves when the last one is answered. */
  pause(): Promise<void>;
  resume(): void;
  /** Half of the reads are of these users from now on. Empty: all are of all users. */
  focus(users: readonly string[]): void;
  reset(): void;
  stop(): Promise<void>;
}

const READS_PER_BATCH = 100;
const TIMEOUT_MS = 10_000;

interface Result {
  readonly status: number;
  readonly user?: string;
  readonly source?: string;
  readonly generation?: string;
}

export function startBatchReaders(options: BatchReadersOptions): BatchReaders {
  const { edgeUrl, token, users, batchesPerSecond, readsPerBatch = READS_PER_BATCH, onBatch, clock } = options;
  const agent = new Agent({ connections: 20 });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let seen = makeSeen();
  let next = 0;
  let focused: readonly string[] = [];
  let nextFocused = 0;
  let isStopped = false;
  let isPaused = false;
  const inFlight = new Set<Promise<void>>();

  /** Returns the generation of the user's own list. */
  function record({ status, user = '', source, generation }: Result): number | undefined {
    seen.reads++;
    if (status >= 500) seen.failed++;
    if (status !== 200 || source !== 'personal') {
      seen.without.add(user);
      return undefined;
    }
    const moment = parseGeneration(generation ?? '') ?? 0;
    const known = seen.usersOf.get(moment) ?? new Set<string>();
    seen.usersOf.set(moment, known.add(user));
    return moment;
  }

  async function readBatch(): Promise<void> {
    const batch = Array.from({ length: readsPerBatch }, (_, i) =>
      focused.length > 0 && i % 2 === 0
        ? (focused[nextFocused++ % focused.length] ?? '')
        : (users[next++ % users.length] ?? ''),
    );
    const body = JSON.stringify({ reads: batch.map((user) => ({ user, surface: 'home', limit: 1 })) });
    const beganAtMs = clock.now();
    try {
      const answer = await request(`${edgeUrl}/v1/recommendations:batch`, {
        ...{ dispatcher: agent, method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) },
      });
      const { results } = (await answer.body.json()) as { results: Result[] };
      const generations = results.map(record).filter((generation) => generation !== undefined);
      onBatch?.({ beganAtMs, generations });
    } catch {
      seen.failed += readsPerBatch;
    }
  }

  async function run(): Promise<void> {
    const startedAtMs = clock.monotonicNow();
    for (let sent = 0; !isStopped; sent++) {
      if (!isPaused) {
        const reading = readBatch();
        inFlight.add(reading);
        void reading.finally(() => inFlight.delete(reading));
      }
      const dueMs = startedAtMs + ((sent + 1) * 1000) / batchesPerSecond;
      await pause(clock, Math.max(1, dueMs - clock.monotonicNow()));
    }
    await Promise.all(inFlight);
  }

  const running = run();
  return {
    seen: () => seen,
    pause: async () => {
      isPaused = true;
      await Promise.all(inFlight);
    },
    resume: () => {
      isPaused = false;
    },
    focus: (of) => {
      focused = of;
      nextFocused = 0;
    },
    reset: () => {
      seen = makeSeen();
    },
    stop: async () => {
      isStopped = true;
      await running;
      await agent.close();
    },
  };
}

const makeSeen = () => ({
  reads: 0,
  failed: 0,
  usersOf: new Map<number, Set<string>>(),
  without: new Set<string>(),
});
