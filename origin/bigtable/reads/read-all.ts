// Reads many rows through the queue, with one result per row.
import type { Cancellation } from '../../../shared/caching/cancellation.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { currentTrace } from '../../tracing/request-trace.ts';
import type { Row } from '../chunk-merger.ts';
import type { ReadFailure } from '../stored-values.ts';
import type { BatchKey, ReadQueue, RowRead, Waiter } from './read-queue.ts';

/** The deadline passed, or no caller waits. */
const DEADLINE_EXCEEDED: ReadFailure = { kind: 'error', code: 'deadline_exceeded' };

export interface RowQuery {
  readonly batchKey: BatchKey;
  readonly rowKey: string;
}

export interface ReadAllOptions<T> {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly toResult: (row: Row | undefined) => T;
  /** At the same places as the queries. */
  readonly cancellations?: readonly Cancellation[] | undefined;
  /** Called with the first failure, after all results are known. */
  readonly onError: (error: unknown) => void;
}

/** One result per query, in order, at the latest after `timeoutMs`. Never rejects. */
export function readAll<T>(
  queue: ReadQueue,
  queries: readonly RowQuery[],
  { clock, timeoutMs, toResult, cancellations = [], onError }: ReadAllOptions<T>,
): Promise<(T | ReadFailure)[]> {
  if (queries.length === 0) return Promise.resolve([]);
  return new Promise((resolve) => {
    const results: (T | ReadFailure)[] = new Array(queries.length);
    const deadlineAtMs = clock.monotonicNow() + timeoutMs;
    let open = queries.length;
    let failure: unknown;
    const trace = currentTrace();

    const setResult = (i: number, result: T | ReadFailure): void => {
      results[i] = result;
      if (--open > 0) return;
      cancelTimer();
      if (failure !== undefined) onError(failure);
      resolve(results);
    };
    const giveUp = (i: number): void => {
      const each = reads[i];
      if (each === undefined || results[i] !== undefined) return;
      queue.removeWaiter(each.read, each.waiter);
      setResult(i, DEADLINE_EXCEEDED);
    };
    const cancelTimer = clock.setTimeout(() => {
      for (const i of reads.keys()) giveUp(i);
    }, timeoutMs);
    const reads: { readonly waiter: Waiter; readonly read: RowRead }[] = queries.map(({ batchKey, rowKey }, i) => {
      const waiter: Waiter = {
        deadlineAtMs,
        trace,
        settle: (row) => setResult(i, toResult(row)),
        fail: (error) => {
          failure ??= error;
          setResult(i, { kind: 'error', code: error.code });
        },
      };
      return { waiter, read: queue.read(batchKey, rowKey, waiter) };
    });
    for (const [i, cancellation] of cancellations.entries()) cancellation.onCancel(() => giveUp(i));
  });
}
