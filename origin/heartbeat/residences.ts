// How long lists usually stay in the caches of this region, as its objects tell with their calls. The median of the
// latest calls: an object that has just started knows little.
const KEPT = 64;
const MAX_MS = 30 * 86_400_000;

export interface Residences {
  /** `header`: the value of a call. A value that is none is ignored. */
  record(header: string | string[] | undefined): void;
  /** Milliseconds; undefined before the first call that tells. */
  medianMs(): number | undefined;
}

export function createResidences(): Residences {
  const latest: number[] = [];
  let next = 0;
  return {
    record: (header) => {
      if (header === undefined) return;
      const ms = Number(header);
      if (!Number.isFinite(ms) || ms <= 0 || ms > MAX_MS) return;
      latest[next] = ms;
      next = (next + 1) % KEPT;
    },
    medianMs: () => latest.toSorted((a, b) => a - b)[Math.floor(latest.length / 2)],
  };
}
