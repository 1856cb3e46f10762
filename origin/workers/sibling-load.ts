// Of several processes on one port each keeps some users: what another keeps is asked of it before the table is, so
// that a list is read from the table once, and not once a process, and a crowd that is spread over all of them still
// makes one load. What comes is kept here too, so that hot lists are answered where they are asked for. A process that
// fails is passed over, and not asked again for a while; one that refuses, because it has as much to do as it can, is
// taken at its word.

import { type Cancellation, combineCancellations } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';
import { toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { Guard } from '../guard/guard.ts';
import type { LoadLists, LoadResult } from '../lists/load-lists.ts';
import type { Siblings } from './siblings.ts';

interface SiblingLoadOptions {
  readonly siblings: Siblings;
  /** From the table. */
  readonly load: LoadLists;
  /** Of reads of the table that another process should have made. */
  readonly guard: Guard;
  readonly clock: Clock;
  readonly counters: Counters;
}

/** Of its time a call gives this share to the other process, so that some is left for the table. */
const SIBLING_SHARE = 0.7;
/** A process that failed is left alone for this long: each miss of its users would wait for it else. */
export const BYPASS_MS = 2_000;
/** Not the hash of the row keys' prefix, which would give each process whole tablets. */
const SEED = 0x5f3759df;

export const chooseWorker = (user: string, count: number): number => murmur3(user, SEED) % count;

export function createSiblingLoad({ siblings, load, guard, clock, counters }: SiblingLoadOptions): LoadLists {
  const bypassUntilMs = new Map<number, number>();

  async function loadInstead(
    asks: readonly ListQuery[],
    timeoutMs: number,
    cancellations: readonly Cancellation[],
  ): Promise<LoadResult[]> {
    const isBackground = asks.every((ask) => ask.isBackground);
    const room = { isBackground, weight: asks.length, timeoutMs, cancellation: combineCancellations(cancellations) };
    try {
      return await guard(room, (leftMs) => load(asks, leftMs, cancellations));
    } catch (error) {
      const { code } = toEarshotError(error, 'origin');
      return asks.map(() => ({ kind: 'error', code }));
    }
  }

  async function loadFrom(
    worker: number,
    asks: readonly ListQuery[],
    timeoutMs: number,
    cancellations: readonly Cancellation[],
  ): Promise<LoadResult[]> {
    if (worker === siblings.own) return load(asks, timeoutMs, cancellations);
    if (clock.now() < (bypassUntilMs.get(worker) ?? 0)) return loadInstead(asks, timeoutMs, cancellations);
    const startedAtMs = clock.now();
    const startedAt = clock.monotonicNow();
    const cancellation = combineCancellations(cancellations);
    try {
      // What the list holds of its items is put together here.
      const plain = asks.map((ask) => (ask.expand === undefined ? ask : { ...ask, expand: undefined }));
      const results = await siblings.readLists(worker, plain, timeoutMs * SIBLING_SHARE, cancellation);
      return results.map((result) => toLoaded(result, startedAtMs));
    } catch {
      if (cancellation.isCancelled()) return asks.map(() => ({ kind: 'error', code: 'deadline_exceeded' }));
      counters.add('origin_sibling_failures_total');
      bypassUntilMs.set(worker, clock.now() + BYPASS_MS);
      return loadInstead(asks, Math.max(1, timeoutMs - (clock.monotonicNow() - startedAt)), cancellations);
    }
  }

  return async (asks, timeoutMs, cancellations = []) => {
    const indexes = Map.groupBy(asks.keys(), (i) => chooseWorker((asks[i] as ListQuery).user, siblings.count));
    const loaded: LoadResult[] = new Array(asks.length);
    const loads = [...indexes].map(async ([worker, at]) => {
      const part = await loadFrom(
        worker,
        at.map((i) => asks[i] as ListQuery),
        timeoutMs,
        at.flatMap((i) => cancellations[i] ?? []),
      );
      for (const [n, i] of at.entries()) loaded[i] = part[n] as LoadResult;
    });
    await Promise.all(loads);
    return loaded;
  };
}

/** As old as the other process says, counted from before it was asked. */
function toLoaded(result: ListResult, startedAtMs: number): LoadResult {
  if (result.kind === 'error') return result;
  const { ageMs = 0, itemsAgeMs: _, ...value } = result;
  return { value, storedAtMs: startedAtMs - ageMs };
}
