// Lists read apart for each process that keeps some of their users, so that a load of own users never waits for another
// process. Else two processes wait for each other: (1) A is asked for a (its own) and b (B's), B for the same two; (2)
// A loads a from the table and asks B for b, as one load, and B the other way round; (3) A's call finds b under way in
// B and joins it, which ends when B has a of A; (4) B's call joins a in A, which ends when A has b of B: neither ends
// before its time is up.

import type { Cancellation } from '../../shared/caching/cancellation.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { ListReader } from '../lists/coalescing-reader.ts';
import { chooseWorker } from './sibling-load.ts';

/** The same reader, its loads apart for each of `count` processes. */
export function readByOwner(lists: ListReader, count: number): ListReader {
  async function readParts(
    parts: Iterable<number[]>,
    asks: readonly ListQuery[],
    timeoutMs: number,
    cancellation: Cancellation | undefined,
  ) {
    const results: ListResult[] = new Array(asks.length);
    const reads = Array.from(parts, async (at) => {
      const part = at.map((i) => asks[i] as ListQuery);
      const read = await lists.read(part, timeoutMs, cancellation);
      for (const [n, i] of at.entries()) results[i] = read[n] as ListResult;
    });
    await Promise.all(reads);
    return results;
  }

  return {
    ...lists,
    read: (asks, timeoutMs, cancellation) => {
      const parts = Map.groupBy(asks.keys(), (i) => chooseWorker((asks[i] as ListQuery).user, count));
      return parts.size === 1
        ? lists.read(asks, timeoutMs, cancellation)
        : readParts(parts.values(), asks, timeoutMs, cancellation);
    },
  };
}
