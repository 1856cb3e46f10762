// Work on the elements of a sequence, several at a time, with the results in the order of the elements.

/**
 * At most `limit` results are under way or wait for their turn. A failure is thrown at its turn; the work on later
 * elements then goes on, and the caller ends it.
 */
export async function* mapInOrder<T, R>(
  elements: AsyncIterable<T>,
  limit: number,
  work: (element: T) => Promise<R>,
): AsyncGenerator<R> {
  const pending: Promise<R>[] = [];
  for await (const element of elements) {
    const result = work(element);
    // Its turn may never come.
    result.catch(() => undefined);
    pending.push(result);
    const first = pending.length < limit ? undefined : pending.shift();
    if (first !== undefined) yield await first;
  }
  for (const result of pending) yield await result;
}
