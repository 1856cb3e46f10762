// Admission of loads: asks the guard for room before anything else is done for a missing key, so that shedding is cheap. Background keys ask
// apart from foreground keys. A key that is being loaded, or is queued for room by another request, needs no room of its own.
import { CallerCancelled } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { type ErrorCode, toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { assertRead, type Guard } from '../guard/guard.ts';
import type { LoadMissing, MissingList, PendingRead } from './coalesced-load.ts';

export interface AdmissionOptions {
  readonly guard: Guard;
  /** Whether the query needs room of this process. */
  readonly isGuarded: (query: ListQuery) => boolean;
  /** Whether a load in flight can be joined. */
  readonly isLoading: (missing: MissingList, pending: PendingRead) => boolean;
  readonly loadMissing: LoadMissing;
  readonly clock: Clock;
  readonly counters: Counters;
}

interface AdmissionDeps extends AdmissionOptions {
  /** Keys queued for room by another request, each with the later error code; undefined if it was admitted. */
  readonly queued: Map<string, Promise<ErrorCode | undefined>>;
}

export function createAdmission(options: AdmissionOptions): LoadMissing {
  const deps: AdmissionDeps = { ...options, queued: new Map() };
  return async (missing, pending, timeoutMs) => {
    const foreground = missing.filter(({ query }) => !query.isBackground);
    const background = foreground.length === missing.length ? [] : missing.filter(({ query }) => query.isBackground);
    await Promise.all([
      loadWhenRoom(deps, foreground, false, pending, timeoutMs),
      loadWhenRoom(deps, background, true, pending, timeoutMs),
    ]);
  };
}

async function loadWhenRoom(
  deps: AdmissionDeps,
  missing: readonly MissingList[],
  isBackground: boolean,
  pending: PendingRead,
  timeoutMs: number,
): Promise<void> {
  const { guard, isGuarded, isLoading, loadMissing, counters, queued } = deps;
  const { results, cancellation } = pending;
  const needing = missing.filter((each) => isGuarded(each.query) && !isLoading(each, pending));
  if (needing.length === 0) return loadMissing(missing, pending, timeoutMs);
  const own = needing.filter(({ cacheKey }) => !queued.has(cacheKey));
  if (own.length === 0) return loadBehind(deps, missing, needing, isBackground, pending, timeoutMs);

  let endQueueing = (_code?: ErrorCode): void => {};
  const onWait = (): void => {
    // No foreground request waits behind a background one, which is shed first.
    if (!isBackground) endQueueing = announceQueued(queued, own);
  };
  try {
    await guard({ isBackground, weight: own.length, timeoutMs, cancellation, onWait }, async (leftMs) => {
      const loading = loadMissing(missing, pending, leftMs);
      endQueueing();
      await loading;
      const failure = missing.map(({ index }) => results[index]).find((result) => result?.kind === 'error');
      assertRead(failure?.kind === 'error' ? failure.code : undefined, cancellation);
    });
  } catch (error) {
    if (error instanceof CallerCancelled) counters.add('origin_cancelled_keys_total', own.length);
    const { code } = toEarshotError(error, 'origin');
    endQueueing(code);
    for (const { index } of missing) results[index] ??= { kind: 'error', code };
  }
}

/** Lets other requests of these keys wait for the outcome. Called only for queued keys: an immediate answer is not worth it. */
function announceQueued(
  queued: AdmissionDeps['queued'],
  own: readonly MissingList[],
): (code: ErrorCode | undefined) => void {
  const { promise: outcome, resolve } = Promise.withResolvers<ErrorCode | undefined>();
  for (const { cacheKey } of own) queued.set(cacheKey, outcome);
  return (code) => {
    for (const { cacheKey } of own) if (queued.get(cacheKey) === outcome) queued.delete(cacheKey);
    resolve(code);
  };
}

/** Waits for the first request of the keys: if it is admitted, all join its load; if it is shed, all are. */
async function loadBehind(
  deps: AdmissionDeps,
  missing: readonly MissingList[],
  needing: readonly MissingList[],
  isBackground: boolean,
  pending: PendingRead,
  timeoutMs: number,
): Promise<void> {
  const { clock, queued } = deps;
  const { results } = pending;
  const startedAtMs = clock.monotonicNow();
  const codes = await Promise.all(needing.map(({ cacheKey }) => queued.get(cacheKey)));
  const leftMs = timeoutMs - (clock.monotonicNow() - startedAtMs);
  for (const [i, { index }] of needing.entries()) {
    if (leftMs <= 0) results[index] = { kind: 'error', code: 'deadline_exceeded' };
    else if (codes[i] === 'overloaded') results[index] = { kind: 'error', code: 'overloaded' };
  }
  const rest = missing.filter(({ index }) => results[index] === undefined);
  if (rest.length > 0) await loadWhenRoom(deps, rest, isBackground, pending, Math.max(1, leftMs));
}
