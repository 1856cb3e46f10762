// Lists from the regions: the nearest healthy region first, the next one for failed keys (failover), and a second one
// when the first is late (hedge). Each region is tried at most once, and never past the deadline. Attempts beyond the
// first draw from one budget. A background read that a region sheds is not failed over: that would only move the load.
//
// One read: (1) the first region is asked; (2) it answers all keys; (3) or it fails some, and the next region is asked
// for those; (4) or it is late, and the next region is asked for all open keys; the first answer counts; (5) without
// open keys or regions, attempts in flight are cancelled.
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ListRequest, ListSource } from '../reads/list-source.ts';
import { type Call, detach, remainingMs, waitedForMs } from '../request/call.ts';
import { type Attempt, type AttemptDeps, cancelAttempt, endAttempt, startAttempt } from './attempt.ts';
import { outcomeOf } from './attempt-outcome.ts';
import { isOpen, type KeyProgress, startKey, toLoadResult } from './key-progress.ts';
import type { Routing } from './routing.ts';

/** A read that continues for longer after its deadline or its cancellation, in milliseconds, is counted. */
const LATE_MS = 10;

export interface FailoverOptions extends AttemptDeps {
  /** Maximum duration of a probe in milliseconds. */
  readonly probeTimeoutMs: number;
}

export function createFailoverAndHedge(deps: FailoverOptions): ListSource {
  const { routing, clock, counters } = deps;
  return {
    load: async (requests, call) => {
      const keys = requests.map(startKey);
      let endsAtMs = call.deadlineAtMs;
      const removeListener = call.cancellation?.onCancel(() => {
        endsAtMs = Math.min(endsAtMs, clock.now());
      });
      const probed = routing.takeProbe();
      if (probed !== undefined && requests[0] !== undefined) probeRegion(deps, probed, requests[0], call);
      await loadKeys(deps, keys, call);
      removeListener?.();
      if (clock.now() > endsAtMs + LATE_MS) counters.add('edge_late_total');
      return keys.map(toLoadResult);
    },
    isHopeless: (call) => routing.isPlaceHopeless(call.place, remainingMs(call, clock)),
  };
}

async function loadKeys(deps: AttemptDeps, keys: readonly KeyProgress[], call: Call): Promise<void> {
  const { routing, clock, counters } = deps;
  const isBackground = keys.every(({ request }) => request.isBackground === true);
  const tried = new Set<string>();
  const running = new Set<Attempt>();
  let first: Attempt | undefined;

  /**
   * Returns false without a region to try, or without budget. A first attempt is free unless this request has failed
   * before.
   */
  function tryNextRegion(open: readonly KeyProgress[], cause: 'first' | 'failover' | 'hedge'): boolean {
    const [region, next] = candidatesOf(routing, clock, call, tried);
    if (region === undefined) return false;
    if (cause === 'first' && call.failedRegions.size === 0) routing.deposit();
    else if (!routing.tryWithdraw()) {
      counters.add('edge_attempts_denied_total');
      return false;
    }
    if (cause === 'failover') counters.add('edge_failovers_total', open.length);
    if (cause === 'hedge') counters.add('edge_hedges_total');
    tried.add(region.name);
    const attempt = startAttempt(deps, { region, next, keys: open, isFirst: first === undefined, isBackground }, call);
    first ??= attempt;
    running.add(attempt);
    return true;
  }

  function endFinished(): boolean {
    const finished = [...running].filter(({ results }) => results !== undefined);
    for (const attempt of finished) {
      running.delete(attempt);
      const isWon = running.size > 0 && attempt !== first && attempt.results?.some(({ kind }) => kind === 'entry');
      if (isWon) counters.add('edge_hedges_won_total');
      endAttempt(deps, attempt, call);
    }
    return finished.length > 0;
  }

  /** Records overdue attempts against their regions, and hedges late ones. */
  function handleLate(open: readonly KeyProgress[]): void {
    const nowMs = clock.now();
    for (const attempt of running) {
      if (nowMs >= attempt.overdueAtMs) {
        attempt.overdueAtMs = Number.POSITIVE_INFINITY;
        attempt.isRecorded = attempt.isComparable;
        if (attempt.isComparable)
          routing.recordOutcome(attempt.region, call.place, 'lost-race', nowMs - attempt.startedAtMs);
      }
      if (nowMs >= attempt.hedgeAtMs) {
        attempt.hedgeAtMs = Number.POSITIVE_INFINITY;
        if (!routing.isShedding() && call.switches?.isHedgingOff !== true) tryNextRegion(open, 'hedge');
      }
    }
  }

  for (;;) {
    const open = keys.filter(isOpen);
    if (open.length === 0) break;
    if (running.size === 0 && !tryNextRegion(open, tried.size === 0 ? 'first' : 'failover')) break;
    await waitForAny(running, clock);
    if (!endFinished()) handleLate(open);
  }
  for (const attempt of running) cancelAttempt(deps, attempt, call, attempt === first);
}

/**
 * The regions to try, in order. After the first attempt, only those count that are expected to answer while a caller
 * waits, and that did not ask for a back-off.
 */
function candidatesOf(routing: Routing, clock: Clock, call: Call, tried: ReadonlySet<string>): readonly Region[] {
  const leftMs = remainingMs(call, clock);
  if (leftMs === 0 || call.cancellation?.isCancelled() === true) return [];
  const { place } = call;
  const untried = call.regions.filter(({ name }) => !tried.has(name) && !call.failedRegions.has(name));
  if (tried.size === 0) return untried.filter((region) => !routing.isHopeless(region, place, leftMs));
  const waitedMs = waitedForMs(call, clock);
  return untried.filter((region) => routing.fits(region, place, waitedMs) && !routing.isBackingOff(region));
}

/** Waits until an attempt has results, or until one is late or overdue. */
async function waitForAny(running: ReadonlySet<Attempt>, clock: Clock): Promise<void> {
  const done = [...running].map((attempt) => attempt.done);
  const dueAtMs = Math.min(...[...running].flatMap(({ hedgeAtMs, overdueAtMs }) => [hedgeAtMs, overdueAtMs]));
  if (dueAtMs === Number.POSITIVE_INFINITY) return Promise.race(done);
  const { promise: due, resolve } = Promise.withResolvers<void>();
  const cancelTimer = clock.setTimeout(resolve, Math.ceil(dueAtMs - clock.now()));
  await Promise.race([...done, due]);
  cancelTimer();
}

/**
 * Reads from a region beside the request, as far as its origin: an answer from the object's cache would prove nothing.
 * The probe has a deadline of its own: a caller's short one must not decide about the region.
 */
function probeRegion(deps: FailoverOptions, region: Region, request: ListRequest, call: Call): void {
  const { reader, routing, clock, probeTimeoutMs } = deps;
  const startedAtMs = clock.now();
  const probe = { ...request, notBeforeMs: startedAtMs, isBackground: true };
  const detached = { ...detach(call, clock, probeTimeoutMs), regions: [region] };
  const ended = reader.read(region, [probe], detached).then((results) => {
    routing.endProbe(region, call.place, outcomeOf(results), clock.now() - startedAtMs);
  });
  call.waitUntil(ended);
}
