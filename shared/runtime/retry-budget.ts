// What hedges, retries and failovers may cost together: a share of what is asked anyway, and a reserve for the moment when a connection or a
// region breaks under many calls at once. Without it, what is in trouble is asked most when it can least bear it.

export interface Budget {
  /** So much is asked for the first time. */
  earn(amount: number): void;
  /** Takes what asking for so much once more costs; false when there is not enough left. */
  spend(amount: number): boolean;
  /** What could be spent now. */
  left(): number;
  /** How much of the reserve is there, 0 to 1. */
  level(): number;
}

export interface BudgetOptions {
  /** What may be asked once more, per what is asked. */
  readonly share: number;
  /** The most that is saved up. */
  readonly reserve: number;
}

export function createBudget({ share, reserve }: BudgetOptions): Budget {
  let saved = reserve;
  return {
    earn: (amount) => {
      saved = Math.min(reserve, saved + amount * share);
    },
    spend: (amount) => {
      if (saved < amount) return false;
      saved -= amount;
      return true;
    },
    left: () => saved,
    level: () => saved / reserve,
  };
}
