// What hedges and retries may cost together: a share of the keys that are read anyway, and a reserve for the moment when a connection breaks
// under many calls at once. Without it, a table in trouble is asked most when it can least bear it.

export interface ExtraReadsBudget {
  /** So many keys are read for the first time. */
  earn(keys: number): void;
  /** Takes what reading so many keys once more costs; false when there is not enough left. */
  spend(keys: number): boolean;
  /** How much of the reserve is there, 0 to 1. */
  level(): number;
}

export interface ExtraReadsBudgetOptions {
  /** Extra keys per key read. */
  readonly share: number;
  /** The most that is saved up, in keys. */
  readonly reserve: number;
}

export function createExtraReadsBudget({ share, reserve }: ExtraReadsBudgetOptions): ExtraReadsBudget {
  let saved = reserve;
  return {
    earn: (keys) => {
      saved = Math.min(reserve, saved + keys * share);
    },
    spend: (keys) => {
      if (saved < keys) return false;
      saved -= keys;
      return true;
    },
    level: () => saved / reserve,
  };
}
