// Admission of loads: asks the guard for room before anything else is done for a missing key, so that shedding is
// cheap. Background keys ask apart from foreground keys. A key that is being loaded, or is queued for room by another
// request, needs no room of its own.
import { CallerCancelled } from '../../shared/caching/cancellation.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { type ErrorCode, toEarshotError } from '../../shared/wire/errors.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import { assertRead, type Guard } from '../guard/guard.ts';
import type { CoalescedLoad, MissingList, PendingRead } from './coalesced-load.ts';

export interface AdmissionOptions {
  readonly guard: Guard;
  readonly loads: CoalescedLoad;
  readonly clock: Clock;
  readonly counters: Counters;
}

export class Admission {
  readonly #options: AdmissionOptions;
  /** Keys queued for room by another request, each with the later error code; undefined if it was admitted. */
  readonly #queued = new Map<CacheKey, Promise<ErrorCode | undefined>>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Sets the results of all `missing`. Never rejects. */
  async load(missing: readonly MissingList[], pending: PendingRead, timeoutMs: number): Promise<void> {
    const foreground = missing.filter(({ query }) => !query.isBackground);
    const background = foreground.length === missing.length ? [] : missing.filter(({ query }) => query.isBackground);
    await Promise.all([
      this.#loadWhenRoom(foreground, false, pending, timeoutMs),
      this.#loadWhenRoom(background, true, pending, timeoutMs),
    ]);
  }

  async #loadWhenRoom(missing: readonly MissingList[], isBackground: boolean, pending: PendingRead, timeoutMs: number) {
    const { guard, loads, counters } = this.#options;
    const { results, arrivedAtMs, cancellation } = pending;
    const needing = missing.filter((each) => !loads.isLoading(each, arrivedAtMs));
    const own = needing.filter(({ cacheKey }) => !this.#queued.has(cacheKey));
    if (needing.length === 0) return loads.load(missing, pending, timeoutMs);
    if (own.length === 0) {
      const { rest, leftMs } = await this.#waitForOthers(missing, needing, results, timeoutMs);
      if (rest.length > 0) await this.#loadWhenRoom(rest, isBackground, pending, Math.max(1, leftMs));
      return;
    }
    let endQueueing = (_code?: ErrorCode): void => {};
    const onWait = (): void => {
      // No foreground request waits behind a background one, which is shed first.
      if (!isBackground) endQueueing = this.#announceQueued(own);
    };
    try {
      await guard({ isBackground, weight: own.length, timeoutMs, cancellation, onWait }, async (leftMs) => {
        const loading = loads.load(missing, pending, leftMs);
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

  /** Lets other requests of these queued keys wait for the outcome. */
  #announceQueued(own: readonly MissingList[]): (code: ErrorCode | undefined) => void {
    const { promise: outcome, resolve } = Promise.withResolvers<ErrorCode | undefined>();
    for (const { cacheKey } of own) this.#queued.set(cacheKey, outcome);
    return (code) => {
      for (const { cacheKey } of own) if (this.#queued.get(cacheKey) === outcome) this.#queued.delete(cacheKey);
      resolve(code);
    };
  }

  /** Waits for the first request of the keys: if it is admitted, all join its load; if it is shed, all are. */
  async #waitForOthers(
    missing: readonly MissingList[],
    needing: readonly MissingList[],
    results: ListResult[],
    timeoutMs: number,
  ): Promise<{ readonly rest: readonly MissingList[]; readonly leftMs: number }> {
    const { clock } = this.#options;
    const startedAtMs = clock.monotonicNow();
    const codes = await Promise.all(needing.map(({ cacheKey }) => this.#queued.get(cacheKey)));
    const leftMs = timeoutMs - (clock.monotonicNow() - startedAtMs);
    for (const [i, { index }] of needing.entries()) {
      if (leftMs <= 0) results[index] = { kind: 'error', code: 'deadline_exceeded' };
      else if (codes[i] === 'overloaded') results[index] = { kind: 'error', code: 'overloaded' };
    }
    return { rest: missing.filter(({ index }) => results[index] === undefined), leftMs };
  }
}
