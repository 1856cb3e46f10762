// Loads lists from the table.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { RecommendationTable } from '../bigtable/recommendation-table.ts';
import type { ReadFailure } from '../bigtable/stored-values.ts';
import type { CachedList } from './list-memory.ts';

export type LoadResult = CachedList | ReadFailure;

/** One result per query, in order. A key whose cancellation fires is given up. Never rejects. */
export type LoadLists = (
  queries: readonly ListQuery[],
  timeoutMs: number,
  cancellations?: readonly Cancellation[],
) => Promise<LoadResult[]>;

interface TableLoadOptions {
  readonly table: Pick<RecommendationTable, 'readLists'>;
  readonly clock: Clock;
  readonly counters: Counters;
}

export const createTableLoad =
  ({ table, clock, counters }: TableLoadOptions): LoadLists =>
  async (queries, timeoutMs, cancellations) => {
    const storedAtMs = clock.now();
    try {
      const values = await table.readLists(queries, timeoutMs, cancellations);
      counters.add('origin_absent_total', values.filter(({ kind }) => kind === 'absent').length);
      return values.map((value) => (value.kind === 'error' ? value : { value, storedAtMs }));
    } catch (error) {
      const { code } = toEarshotError(error, 'origin');
      return queries.map(() => ({ kind: 'error', code }));
    }
  };
