// Batches loads that one request adds one by one: all loads added before `start` leave in one call. A load added later,
// after another load failed, leaves in a call of its own. No timer delays a load.

export interface LoadGroup<L, T> {
  /** Resolves to the result of `load`. Rejects when its call rejects. */
  add(load: L): Promise<T>;
  start(): void;
}

/** `loadAll` returns one result per load, in order. */
export function createLoadGroup<L, T>(loadAll: (loads: readonly L[]) => Promise<readonly T[]>): LoadGroup<L, T> {
  const loads: L[] = [];
  const started = Promise.withResolvers<readonly T[]>();
  let isStarted = false;
  const resultAt = async (results: Promise<readonly T[]>, i: number): Promise<T> => (await results)[i] as T;

  return {
    add: (load) => {
      if (isStarted) return resultAt(loadAll([load]), 0);
      return resultAt(started.promise, loads.push(load) - 1);
    },
    start: () => {
      isStarted = true;
      if (loads.length > 0) started.resolve(loadAll(loads));
    },
  };
}
