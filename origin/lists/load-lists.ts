// How lists come that memory does not have: from the table.

import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ReadFailure, RecommendationTable } from '../bigtable/recommendation-table.ts';
import type { HeldList } from './list-memory.ts';

export type Loaded = HeldList | ReadFailure;

export const isFailed = (loaded: Loaded): loaded is ReadFailure => 'kind' in loaded;

/** One outcome per ask, in their order; a key for which nobody waits any more is given up. Never rejects. */
export type LoadLists = (
  asks: readonly ListQuery[],
  timeoutMs: number,
  cancellations?: readonly Cancellation[],
) => Promise<Loaded[]>;

interface TableLoadOptions {
  readonly table: Pick<RecommendationTable, 'readLists'>;
  readonly clock: Clock;
  readonly counters: Counters;
}

export const createTableLoad =
  ({ table, clock, counters }: TableLoadOptions): LoadLists =>
  async (asks, timeoutMs, cancellations) => {
    const storedAtMs = clock.now();
    try {
      const values = await table.readLists(asks, timeoutMs, cancellations);
      counters.add('origin_absent_total', values.filter(({ kind }) => kind === 'absent').length);
      return values.map((value) => (value.kind === 'error' ? value : { value, storedAtMs }));
    } catch (error) {
      const { code } = toEarshotError(error, 'origin');
      return asks.map(() => ({ kind: 'error', code }));
    }
  };
