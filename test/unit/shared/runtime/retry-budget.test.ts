import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRetryBudget } from '../../../../shared/runtime/retry-budget.ts';

test('starts with the whole reserve, which can be withdrawn at once and no further', () => {
  const budget = createRetryBudget({ share: 0.05, reserve: 400 });
  expect([budget.level(), budget.tryWithdraw(400), budget.level(), budget.tryWithdraw(1)]).toEqual([1, true, 0, false]);
});

test('refuses a withdrawal that it cannot grant in full', () => {
  const budget = createRetryBudget({ share: 0.05, reserve: 10 });
  expect([budget.tryWithdraw(11), budget.level(), budget.tryWithdraw(10)]).toEqual([false, 1, true]);
});

test('deposits its share of the keys read', () => {
  const budget = createRetryBudget({ share: 0.05, reserve: 10 });
  budget.tryWithdraw(10);
  budget.deposit(20);
  expect([budget.tryWithdraw(1), budget.tryWithdraw(1)]).toEqual([true, false]);
});

test('never gives more than the reserve and its share of the keys read, and never saves more than the reserve', () => {
  const step = fc.record({ earn: fc.nat(200), spend: fc.nat(50) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = createRetryBudget({ share: 0.05, reserve: 40 });
      let [read, extra] = [0, 0];
      for (const { earn, spend } of steps) {
        budget.deposit(earn);
        read += earn;
        if (budget.tryWithdraw(spend)) extra += spend;
        expect(extra).toBeLessThanOrEqual(40 + read * 0.05 + 1e-6);
        expect(budget.level()).toBeLessThanOrEqual(1);
        expect(budget.level()).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
