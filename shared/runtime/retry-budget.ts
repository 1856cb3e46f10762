// Token budget for hedges, retries and failovers: a share of the first attempts, plus a reserve for the moment a
// connection or region breaks. It bounds the extra load on a dependency that is already in trouble.

export interface RetryBudget {
  /** Records `amount` first attempts. */
  deposit(amount: number): void;
  /** Pays for `amount` additional attempts. Returns false, and takes nothing, when the balance is lower. */
  tryWithdraw(amount: number): boolean;
  /** Attempts that can be paid for now, 0 to `reserve`. */
  balance(): number;
  /** Balance as a share of the reserve, 0 to 1. */
  level(): number;
}

export interface RetryBudgetOptions {
  /** Additional attempts per first attempt, 0 to 1. */
  readonly share: number;
  /** Maximum balance in attempts, and the balance at the start. */
  readonly reserve: number;
}

export function createRetryBudget({ share, reserve }: RetryBudgetOptions): RetryBudget {
  let balance = reserve;
  return {
    deposit: (amount) => {
      balance = Math.min(reserve, balance + amount * share);
    },
    tryWithdraw: (amount) => {
      if (balance < amount) return false;
      balance -= amount;
      return true;
    },
    balance: () => balance,
    level: () => balance / reserve,
  };
}
