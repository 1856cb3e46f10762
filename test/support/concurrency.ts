// Bounded concurrency over many values.

/** Rejects with the first error. */
export async function forEachConcurrently<T>(
  all: readonly T[],
  work: (each: T) => Promise<void>,
  concurrency = 16,
): Promise<void> {
  const rest = all.values();
  const workers = Array.from({ length: concurrency }, async () => {
    for (const each of rest) await work(each);
  });
  await Promise.all(workers);
}
