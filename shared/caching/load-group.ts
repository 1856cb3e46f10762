// Loads that are asked for one by one and begin together: what is added until `start` is one call, and what comes later, because another's
// load failed, is a call of its own. Nothing waits for time to pass.

export interface LoadGroup<L, T> {
  /** What became of `load`; rejects when the call that carried it does. */
  add(load: L): Promise<T>;
  start(): void;
}

/** `loadAll` gives one result per load, in their order. */
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
