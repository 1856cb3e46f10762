// Reads for a comparison of caches with Bigtable: as background work, from the table alone, and nothing is stored.
import type { Cancellation } from '../../shared/caching/cancellation.ts';
import { toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import { isReadFailure } from '../bigtable/stored-values.ts';
import { assertRead, type Guard } from '../guard/guard.ts';
import type { LoadLists } from './load-lists.ts';

/** One result per query, in order. Never rejects. */
export async function readShadow(
  { guard, load }: { readonly guard: Guard; readonly load: LoadLists },
  queries: readonly ListQuery[],
  timeoutMs: number,
  cancellation: Cancellation | undefined,
): Promise<ListResult[]> {
  let results: ListResult[] | undefined;
  try {
    await guard({ isBackground: true, weight: queries.length, timeoutMs, cancellation }, async (leftMs) => {
      const loaded = await load(queries, leftMs, cancellation && queries.map(() => cancellation));
      results = loaded.map((each) => (isReadFailure(each) ? each : each.value));
      const failure = loaded.find(isReadFailure);
      assertRead(failure?.code, cancellation);
    });
    return results ?? [];
  } catch (error) {
    const { code } = toEarshotError(error, 'origin');
    return results ?? queries.map(() => ({ kind: 'error', code }));
  }
}
