// Three regions on a manual clock with scripted latencies and faults, behind the real choice of regions: hedges,
// failovers, ejections and budget. Requests arrive at a steady rate, each for its own key.
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { LoadResult } from '../../../edge/reads/list-source.ts';
import { createReadThrough } from '../../../edge/reads/read-through.ts';
import type { RegionReader } from '../../../edge/reads/region-reader.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE, type Place } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { createTierChain } from '../../../edge/tiers/chain.ts';
import { createMemoryTier } from '../../../edge/tiers/memory.ts';
import { createFailoverAndHedge } from '../../../edge/upstream/failover-and-hedge.ts';
import { createRouting } from '../../../edge/upstream/routing.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import { TEST_REGIONS } from './harness.ts';
import { keyOf, makeList } from './lists.ts';

/**
 * Behaviour of a region: `latencyMs` is added to the round trip, for `share` of the attempts only. `hang`: no answer
 * within the attempt's timeout.
 */
export interface Fault {
  readonly kind?: 'error' | 'hang' | 'shed';
  readonly share?: number;
  readonly latencyMs?: number;
}

export interface Answered {
  readonly atMs: number;
  readonly tookMs: number;
  readonly isFailed: boolean;
  readonly region: string | undefined;
}

export interface Report {
  readonly requests: number;
  readonly failed: number;
  readonly attempts: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly answers: readonly Answered[];
  /** Attempts at a region. */
  attemptsAt(region: string): number;
}

const WAY_MS: Readonly<Record<string, number>> = { asia: 20, europe: 60, us: 100 };
const DEADLINE_MS = 5_000;
const ATTEMPT_MS = 1_600;
const TOKYO: Place = { ...NOWHERE, coordinates: { latitude: 35.68, longitude: 139.76 } };

export type SimulatedRegions = ReturnType<typeof simulateRegions>;

/** `wayMs`: round trips by region. */
export function simulateRegions({
  seed = 1,
  wayMs = WAY_MS,
}: {
  seed?: number;
  wayMs?: Readonly<Record<string, number>>;
} = {}) {
  const clock = createManualClock();
  const counters = createCounters();
  const random = makeRandom(seed);
  const faults = new Map<string, Fault>();
  const log: { region: string; state: string; atMs: number }[] = [];
  const attempts: { region: string; atMs: number; isProbe: boolean; isCancelled: boolean }[] = [];
  const regions = TEST_REGIONS as readonly Region[];
  const startMs = clock.now();
  const routing = createRouting({
    regions,
    clock,
    random,
    counters,
    log: {
      warn: (_event, fields) =>
        log.push({ region: String(fields.region), state: String(fields.state), atMs: clock.now() - startMs }),
      error: () => {},
    },
  });

  const reader: RegionReader = {
    read: (region, requests, call) => {
      const attempt = {
        region: region.name,
        atMs: clock.now() - startMs,
        isProbe: requests[0]?.isBackground === true,
        isCancelled: false,
      };
      attempts.push(attempt);
      const fault = faults.get(region.name) ?? {};
      const isStruck = random() < (fault.share ?? 1);
      const jitterMs = 5 * random();
      const ms = (wayMs[region.name] ?? 0) + jitterMs + (isStruck ? (fault.latencyMs ?? 0) : 0);
      const kind = isStruck ? fault.kind : undefined;
      const answers = (): LoadResult[] => requests.map(({ key }) => answerOf(region.name, kind, key.user, clock.now()));
      return new Promise((resolve) => {
        const mostMs = Math.min(ATTEMPT_MS, call.deadlineAtMs - clock.now());
        const isTimeout = kind === 'hang' || ms > mostMs;
        const tookMs = isTimeout ? mostMs : ms;
        const cancel = clock.setTimeout(
          () => resolve(isTimeout ? requests.map(() => failed(region.name, 'timeout')) : answers()),
          tookMs,
        );
        call.cancellation?.onCancel(() => {
          attempt.isCancelled = true;
          cancel();
          resolve(requests.map(() => ({ ...failed(region.name, 'cancelled'), reason: 'wait-ended' })));
        });
      });
    },
  };
  const source = createFailoverAndHedge({ reader, routing, clock, counters, probeTimeoutMs: 2_000 });
  const lists = createReadThrough({
    tiers: createTierChain({
      nearest: createMemoryTier({ name: 'isolate', maxBytes: 0 }),
      others: [],
      clock,
      counters,
      side: 'edge',
    }),
    source,
    clock,
    random: () => 0,
    counters,
    side: 'edge',
    isFenced: () => false,
    loadTimeoutMs: DEADLINE_MS,
    callers: 'requests',
  });
  let next = 0;

  async function ask(answers: Answered[], deadlineMs: number): Promise<void> {
    const atMs = clock.now();
    const call: Call = {
      deadlineAtMs: atMs + deadlineMs,
      place: TOKYO,
      regions: routing.regionsFor(TOKYO),
      failedRegions: new Set(),
      requestId: 'request-1',
      traceparent: undefined,
      timings: createTimings(clock),
      waitUntil: () => {},
    };
    const request = { key: keyOf(`u${next++}`), ttlSeconds: 60, notBeforeMs: 0 };
    const [read] = await lists.read([request], call);
    const isFailed = read?.kind !== 'entry';
    answers.push({
      atMs: atMs - startMs,
      tookMs: clock.now() - atMs,
      isFailed,
      region: isFailed ? undefined : read?.trail.regions.at(-1)?.region,
    });
  }

  /**
   * Sends `perSecond` requests at equal intervals for `ms`; `each` runs before every millisecond. Resolves after all
   * answers.
   */
  async function offer(
    perSecond: number,
    ms: number,
    each: (sinceMs: number) => void = () => {},
    deadlineMs = DEADLINE_MS,
  ): Promise<Report> {
    const answers: Answered[] = [];
    const fromAttempt = attempts.length;
    let sent = 0;
    let open = 0;
    for (let sinceMs = 0; sinceMs < ms || open > 0; sinceMs++) {
      each(sinceMs);
      for (; sinceMs < ms && sent < ((sinceMs + 1) * perSecond) / 1000; sent++) {
        open++;
        void ask(answers, deadlineMs).then(() => open--);
      }
      clock.advance(1);
      // The effects of an answer take some turns of the microtask queue.
      for (let turn = 0; turn < 12; turn++) await undefined;
    }
    const took = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
    const made = attempts.slice(fromAttempt);
    return {
      requests: sent,
      failed: answers.filter(({ isFailed }) => isFailed).length,
      attempts: made.length,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      answers,
      attemptsAt: (region) => made.filter((attempt) => attempt.region === region).length,
    };
  }

  return {
    clock,
    counters,
    routing,
    attempts,
    log,
    now: () => clock.now() - startMs,
    offer,
    /** One read beside those of `offer`, by a caller with `deadlineMs`. */
    askWithin: (deadlineMs: number): void => void ask([], deadlineMs),
    budget: (): number => routing.status(TOKYO).budget.tokens,
    p95Ms: (name: string): number => routing.status(TOKYO).regions.find((each) => each.name === name)?.p95Ms ?? 0,
    setFault: (fault: Fault, ...names: readonly string[]) => {
      for (const name of names) faults.set(name, fault);
    },
    heal: () => faults.clear(),
  };
}

export const p99Of = (answers: readonly Answered[]): number => {
  const took = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)] ?? 0;
};

function answerOf(region: string, kind: Fault['kind'], user: string, nowMs: number): LoadResult {
  if (kind === 'error') return failed(region, 'error');
  if (kind === 'shed') return { ...failed(region, 'shed'), reason: 'overloaded', retryAfterMs: 1_000 };
  const value = { ...makeList(user), ageMs: 0 };
  const entry = {
    value,
    storedAtMs: nowMs,
    loadMs: 1,
    freshUntilMs: nowMs + 60_000,
    revalidateUntilMs: nowMs + 60_000,
    staleUntilMs: nowMs + 120_000,
  };
  return { kind: 'entry', entry, isFromCache: false, regions: [{ region, origin: { status: 200 } }] };
}

const failed = (region: string, detail: string) =>
  ({ kind: 'failed', reason: 'region-unavailable', regions: [{ region, origin: { detail } }] }) as const;

/** mulberry32. */
function makeRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
