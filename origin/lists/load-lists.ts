// Loads lists from the table. A cell below the requested generation is served only if the manifest's lineage names it.
// Other cells were never published, or are left: the read goes on below them, which is rare.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import { isHidden } from '../../shared/domain/effects/erasure-fence.ts';
import { isReadable, lineageOf, publishedBefore } from '../../shared/domain/lineage.ts';
import type { ListValue } from '../../shared/domain/list.ts';
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
  readonly manifest: () => LiveManifest;
  readonly clock: Clock;
  readonly counters: Counters;
}

export function createTableLoad({ table, manifest, clock, counters }: TableLoadOptions): LoadLists {
  /** A hidden user has no list: an edge that asks for it does not know of the erasure yet. */
  async function readVisible(
    queries: readonly ListQuery[],
    timeoutMs: number,
    cancellations: readonly Cancellation[] | undefined,
  ): Promise<(ListValue | ReadFailure)[]> {
    const live = manifest();
    const isVisible = queries.map(({ user }) => !isHidden(live, user));
    if (!isVisible.includes(false)) return table.readLists(queries, timeoutMs, cancellations);
    const visible = queries.filter((_, i) => isVisible[i]);
    const found =
      visible.length === 0
        ? []
        : await table.readLists(
            visible,
            timeoutMs,
            cancellations?.filter((_, i) => isVisible[i]),
          );
    const left = found.values();
    return isVisible.map((each) => (each ? (left.next().value as ListValue | ReadFailure) : { kind: 'absent' }));
  }

  return async (queries, timeoutMs, cancellations) => {
    const storedAtMs = clock.now();
    const untilMs = clock.monotonicNow() + timeoutMs;
    try {
      const values = await readVisible(queries, timeoutMs, cancellations);
      const known = manifest();
      for (;;) {
        const passed = passOver(queries, values, known);
        if (passed.length === 0) break;
        counters.add('origin_unpublished_lists_total', passed.length);
        const leftMs = Math.max(1, untilMs - clock.monotonicNow());
        const below = await table.readLists(
          passed.map(({ query }) => query),
          leftMs,
          cancellations && passed.map(({ index }) => cancellations[index] as Cancellation),
        );
        for (const [i, { index }] of passed.entries()) values[index] = below[i] as ListValue | ReadFailure;
      }
      counters.add('origin_absent_total', values.filter(({ kind }) => kind === 'absent').length);
      return values.map((value) => (value.kind === 'error' ? value : { value, storedAtMs }));
    } catch (error) {
      const { code } = toEarshotError(error, 'origin');
      return queries.map(() => ({ kind: 'error', code }));
    }
  };
}

/**
 * The reads below the cells that may not be served: each from the newest published generation before its cell. A user
 * without one is absent.
 */
function passOver(queries: readonly ListQuery[], values: (ListValue | ReadFailure)[], manifest: LiveManifest) {
  const passed: { readonly index: number; readonly query: ListQuery }[] = [];
  for (const [index, query] of queries.entries()) {
    const value = values[index];
    if (value?.kind !== 'list' || value.generation === query.generation) continue;
    const lineage = lineageOf(manifest, query.surface, query.variant);
    if (lineage === undefined || isReadable(lineage, query.generation, value.generation)) continue;
    const generation = publishedBefore(lineage, value.generation);
    if (generation === undefined) values[index] = { kind: 'absent' };
    else passed.push({ index, query: { ...query, generation } });
  }
  return passed;
}
